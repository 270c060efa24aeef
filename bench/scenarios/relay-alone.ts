// The receiving half alone: a C program (or, for batches, one that has made them all before) sends over 8 mutual TLS connections for 100 hosts, and every host has its file.

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BYTES, output, perMillion, type Side, sizeOf, sumOf, untilReached } from '../measure.ts'
import type { Receiver, Receiving } from '../systems/system.ts'

const CONNECTIONS = 8
/** Looking at every file costs something too. */
const TOTAL_EVERY_MS = 10

export interface Load {
  readonly messages: number
  readonly hosts: number
  readonly bytes?: number
  readonly connections?: number
}

export interface Received {
  readonly perSecond: number
  readonly receiving: Side
}

function totalOf(logs: string): number {
  const hosts = fs.existsSync(logs) ? fs.readdirSync(logs) : []
  return hosts.reduce((sum, host) => sum + sizeOf(`${logs}/${host}/messages`), 0)
}

function untilTotal(logs: string, size: number): Promise<void> {
  return untilReached(`bytes below ${logs}`, size, () => totalOf(logs), TOTAL_EVERY_MS)
}

/** Begins when asked: what has to be made is made before. */
async function sender(
  program: string,
  receiver: Receiver,
  { port, identity }: Receiving,
  sizes: readonly number[],
): Promise<() => Promise<string>> {
  const numbers = sizes.map(String)
  if (receiver.protocol !== 'batch') {
    const args = [String(port), identity, receiver.protocol, ...numbers]
    return () => output(spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] }))
  }
  const script = fileURLToPath(new URL('../batch-sender.ts', import.meta.url))
  const child = spawn(process.execPath, ['--max-old-space-size=8192', script, String(port), identity, ...numbers], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const said = output(child)
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return () => {
    child.stdin.end()
    return said
  }
}

/** @param program the compiled sender */
export async function receive(
  receiver: Receiver,
  directory: string,
  program: string,
  { messages, hosts, bytes = BYTES, connections = CONNECTIONS }: Load,
): Promise<Received> {
  const running = await receiver.start(directory)
  try {
    // A message for each host first: it opens the files, and tells how long the lines are.
    await (await sender(program, receiver, running, [Math.min(connections, hosts), hosts, hosts, bytes]))()
    await untilTotal(running.logs, hosts)
    await new Promise((resolve) => setTimeout(resolve, 500))
    const one = totalOf(running.logs)
    const send = await sender(program, receiver, running, [Math.min(connections, hosts), messages, hosts, bytes])
    const before = sumOf(running.host.pids)
    const started = performance.now()
    let seconds = 0
    const arrived = untilTotal(running.logs, one + (one / hosts) * messages).then(() => {
      seconds = (performance.now() - started) / 1000
    })
    await Promise.all([send(), arrived])
    return { perSecond: messages / seconds, receiving: perMillion(before, sumOf(running.host.pids), messages) }
  } finally {
    await running.host.stop()
  }
}
