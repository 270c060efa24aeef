// Foreign programs that send to a relay: started, fed, and every message of theirs accounted for.

import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Chain } from './chain.ts'
import { watched } from './daemon.ts'
import { openDoor } from './door.ts'
import { eventually } from './eventually.ts'

export const COUNT = 10_000
export const NUMBERS = Array.from({ length: COUNT }, (_, index) => index)

/** Starts the relay with these listeners. @returns their ports */
export async function open(chain: Chain, ...listeners: Record<string, unknown>[]): Promise<number[]> {
  return (await openDoor(chain, ...listeners)).map(({ port }) => port)
}

/** Every message once; in order where the sender keeps it. */
export async function allArrive(t: ExecutionContext, chain: Chain, host: string, isOrdered = true): Promise<void> {
  const file = path.join(chain.logs, host, 'messages')
  let numbers: number[] = []
  await eventually(
    `${COUNT} messages of ${host}`,
    () => {
      const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : ''
      numbers = [...text.matchAll(/number (\d+)$/gm)].map((match) => Number(match[1]))
      return numbers.length >= COUNT
    },
    () => `There are ${numbers.length}. ${chain.relay.said}`,
  )
  t.deepEqual(isOrdered ? numbers : numbers.sort((a, b) => a - b), NUMBERS)
}

export interface Started {
  said: string
  /** Has it end in order. */
  end(): void
}

/** Starts a program that stays, with what it says at hand. */
export function start(t: ExecutionContext, program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Started {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  const running: Started = { said: '', end: () => void child.kill('SIGTERM') }
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      running.said += chunk.toString('utf8')
    })
  void watched(t, child)
  return running
}

/** Feeds COUNT messages to the local socket of a syslog daemon. */
export async function feed(socket: string, daemon: { said: string }): Promise<void> {
  await eventually(
    'the socket of the sender',
    () => fs.existsSync(socket),
    () => daemon.said,
  )
  execFileSync('logger', ['-u', socket, '-t', 'bulk'], { input: NUMBERS.map((index) => `number ${index}`).join('\n') })
}
