import { type ChildProcess, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { startChain } from './chain.ts'
import { type Usage, usageOf } from './usage.ts'

export const BYTES = 200

export function output(child: ChildProcess): Promise<string> {
  let text = ''
  child.stdout!.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8')
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => (code === 0 ? resolve(text) : reject(new Error(`ended with ${code}`))))
  })
}

export async function untilSize(file: string, size: number): Promise<void> {
  const deadline = performance.now() + 300_000
  for (;;) {
    const now = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
    if (now >= size) return
    if (performance.now() > deadline) throw new Error(`${file} has ${now} bytes, ${size} were expected`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export interface Throughput {
  readonly perSecond: number
  readonly senderSeconds: number
  readonly agent: Usage
  readonly relay: Usage
}

/** @param more of agent.yaml */
export async function throughput(directory: string, sender: string, messages: number, more = ''): Promise<Throughput> {
  const chain = await startChain(directory, more)
  try {
    // One line first: it opens the file, and tells how long a line is.
    await output(spawn(sender, [chain.socket, '1', String(BYTES)], { stdio: ['ignore', 'pipe', 'inherit'] }))
    await untilSize(chain.file, 1)
    const lineBytes = fs.statSync(chain.file).size
    const before = { agent: usageOf(chain.agent.pid!), relay: usageOf(chain.relay.pid!) }
    const started = performance.now()
    const sent = output(spawn(sender, [chain.socket, String(messages), String(BYTES)], { stdio: ['ignore', 'pipe', 'inherit'] }))
    await untilSize(chain.file, lineBytes + messages * lineBytes)
    const seconds = (performance.now() - started) / 1000
    const minus = (now: Usage, then: Usage): Usage => ({
      ...now,
      userSeconds: now.userSeconds - then.userSeconds,
      systemSeconds: now.systemSeconds - then.systemSeconds,
    })
    return {
      perSecond: messages / seconds,
      senderSeconds: (JSON.parse(await sent) as { seconds: number }).seconds,
      agent: minus(usageOf(chain.agent.pid!), before.agent),
      relay: minus(usageOf(chain.relay.pid!), before.relay),
    }
  } finally {
    await chain.stop()
  }
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
