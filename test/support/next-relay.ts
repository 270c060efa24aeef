// A relay behind the chain's relay, which then is that of a site.

import * as fs from 'node:fs'
import type { ExecutionContext } from 'ava'
import { type Chain, RELAY_NAME } from './chain.ts'
import { Daemon } from './daemon.ts'

export interface Next {
  readonly daemon: Daemon
  readonly port: number
  readonly file: string
  readonly config: string
}

/** One more relay of the same authority, which files what it gets. */
export async function startNext(
  t: ExecutionContext,
  chain: Chain,
  name: string,
  options: { identity?: string; destinations?: unknown[]; port?: number } = {},
): Promise<Next> {
  const identity =
    options.identity ??
    (await chain.issue(`${name}-identity`, {
      name: `${name}.example.com`,
      role: 'relay',
      san: ['localhost'],
      speaksFor: ['*.example.com'],
    }))
  const config = chain.place(`${name}.yaml`)
  fs.writeFileSync(
    config,
    JSON.stringify({
      identity,
      spool: { directory: chain.place(`${name}-spool`) },
      listeners: [{ tls: `127.0.0.1:${options.port ?? 0}`, clients: { names: ['*.example.com'] } }],
      destinations: [{ files: chain.place(`${name}-logs/$HOST/messages`) }, ...(options.destinations ?? [])],
    }),
  )
  const daemon = Daemon.spawn(t, 'relay', config)
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(await daemon.event('started'))![1])
  return { daemon, port, file: chain.place(`${name}-logs/web01.example.com/messages`), config }
}

/** Gives the chain's relay a certificate by which it may speak for these. */
export function speakFor(chain: Chain, ...patterns: string[]): Promise<string> {
  fs.rmSync(chain.place('relay-identity'), { recursive: true })
  return chain.issue('relay-identity', { name: RELAY_NAME, role: 'relay', san: ['localhost', '127.0.0.1'], speaksFor: patterns })
}
