// What is measured of one system: messages per second and CPU time at full load, and the time from socket to file at a steady rate.

import { type ChildProcess, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { type Running, type System, stopRunning } from './systems/system.ts'
import { type Usage, usageOf } from './usage.ts'

export const BYTES = 200
/** Before the latency is measured, so that code is compiled. */
const WARM_MESSAGES = 2000
const PATIENCE_MS = 300_000

export interface Side {
  /** Seconds of CPU time for a million messages. */
  readonly userSeconds: number
  readonly systemSeconds: number
  readonly peakMegabytes: number
}

export interface Throughput {
  readonly perSecond: number
  readonly sending: Side
  readonly receiving: Side
}

export interface Latency {
  readonly lines: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

export function cpuOf({ userSeconds, systemSeconds }: Side): number {
  return userSeconds + systemSeconds
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}

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

export function send(sender: string, { socket }: Pick<Running, 'socket'>, ...args: number[]): Promise<string> {
  return output(spawn(sender, [socket, ...args.map(String)], { stdio: ['ignore', 'pipe', 'inherit'] }))
}

/** Waits until a number is reached. @throws with what there is instead, when that takes too long */
export async function untilReached(what: string, wanted: number, count: () => number, everyMs = 5): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const now = count()
    if (now >= wanted) return
    if (performance.now() > deadline) throw new Error(`${what}: ${now} of ${wanted}, something was lost`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

export function sizeOf(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

export function untilSize(file: string, size: number): Promise<void> {
  return untilReached(`bytes of ${file}`, size, () => sizeOf(file))
}

/** Waits until the file has so many lines. */
export async function untilLines(file: string, lines: number): Promise<void> {
  await untilSize(file, 1)
  const room = Buffer.alloc(1 << 20)
  const fd = fs.openSync(file, 'r')
  let seen = 0
  try {
    await untilReached(`lines of ${file}`, lines, () => {
      for (let got = fs.readSync(fd, room); got > 0; got = fs.readSync(fd, room))
        for (let at = room.indexOf(10); at !== -1 && at < got; at = room.indexOf(10, at + 1)) seen++
      return seen
    })
  } finally {
    fs.closeSync(fd)
  }
}

export function sumOf(pids: readonly number[]): Usage {
  const all = pids.map(usageOf)
  const sum = (pick: (usage: Usage) => number): number => all.reduce((total, usage) => total + pick(usage), 0)
  return {
    userSeconds: sum((one) => one.userSeconds),
    systemSeconds: sum((one) => one.systemSeconds),
    peakMegabytes: sum((one) => one.peakMegabytes),
  }
}

export function perMillion(before: Usage, after: Usage, messages: number): Side {
  const scale = 1_000_000 / messages
  return {
    userSeconds: (after.userSeconds - before.userSeconds) * scale,
    systemSeconds: (after.systemSeconds - before.systemSeconds) * scale,
    peakMegabytes: after.peakMegabytes,
  }
}

export async function throughput(system: System, directory: string, sender: string, messages: number): Promise<Throughput> {
  const running = await system.start(directory)
  try {
    // One line first: it opens the file, and tells how long a line is.
    await send(sender, running, 1, BYTES)
    await untilSize(running.file, 1)
    const lineBytes = sizeOf(running.file)
    const before = { sending: sumOf(running.sending.pids), receiving: sumOf(running.receiving.pids) }
    const started = performance.now()
    let seconds = 0
    const arrived = untilSize(running.file, lineBytes + messages * lineBytes).then(() => {
      seconds = (performance.now() - started) / 1000
    })
    await Promise.all([send(sender, running, messages, BYTES), arrived])
    return {
      perSecond: messages / seconds,
      sending: perMillion(before.sending, sumOf(running.sending.pids), messages),
      receiving: perMillion(before.receiving, sumOf(running.receiving.pids), messages),
    }
  } finally {
    await stopRunning(running)
  }
}

export async function latency(
  system: System,
  directory: string,
  sender: string,
  watcher: string,
  rate: number,
  messages: number,
): Promise<Latency> {
  const running = await system.start(directory)
  try {
    await send(sender, running, WARM_MESSAGES, BYTES, Math.min(rate, WARM_MESSAGES))
    const watching = spawn(watcher, [running.file, String(messages)], { stdio: ['ignore', 'pipe', 'pipe'] })
    const seen = output(watching)
    await new Promise((resolve) => watching.stderr.once('data', resolve))
    await send(sender, running, messages, BYTES, rate)
    return JSON.parse(await seen) as Latency
  } finally {
    await stopRunning(running)
  }
}
