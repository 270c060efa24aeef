// Processes that send to the local socket all at once.

import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import type { Chain } from './chain.ts'
import { watched } from './daemon.ts'

export interface Sent {
  readonly sent: number
  /** Messages for which the sender had to wait until somebody listened again. */
  readonly retried: number
}

export interface SendersOptions {
  readonly senders: number
  /** By each sender; without it they send until `stop`. */
  readonly count?: number
  readonly bytes?: number
  /** Messages per second of each; as fast as the socket takes them without it. */
  readonly rate?: number
}

export interface Senders {
  /** Lets them end after the message under way. */
  stop(): void
  /** What each has sent, in the order of their names: s1, s2 ... */
  readonly done: Promise<Sent[]>
}

function place(name: string): string {
  return fileURLToPath(new URL(`./${name}`, import.meta.url))
}

/** The C program where there is a compiler, the same in TypeScript where there is none. */
function senderCommand(directory: string): string[] {
  const program = path.join(directory, 'sender')
  if (fs.existsSync(program)) return [program]
  try {
    if (process.env['LOGHOP_TEST_WITHOUT_CC'] !== undefined) throw new Error('not wanted')
    execFileSync('cc', ['-O2', '-o', program, place('sender.c')], { stdio: 'ignore' })
    return [program]
  } catch {
    return [process.execPath, place('sender.ts')]
  }
}

export function startSenders(t: ExecutionContext, chain: Pick<Chain, 'directory' | 'socket' | 'place'>, options: SendersOptions): Senders {
  const [program, ...first] = senderCommand(chain.directory)
  const stopFile = chain.place(`stop-${process.hrtime.bigint()}`)
  const { senders, count = 1_000_000_000, bytes = 120, rate = 0 } = options
  const runs = Array.from({ length: senders }, async (_, index) => {
    const args = [...first, chain.socket, `s${index + 1}`, String(count), String(bytes), String(rate), stopFile]
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    const read = new Promise((resolve) => child.stdout.once('close', resolve))
    const { code } = await watched(t, child)
    await read
    if (code !== 0) throw new Error(`A sender ended with ${code}`)
    return JSON.parse(text) as Sent
  })
  const done = Promise.all(runs)
  // A test that fails before it waits for them has them killed: that is no second fault.
  done.catch(() => undefined)
  return { stop: () => fs.writeFileSync(stopFile, ''), done }
}
