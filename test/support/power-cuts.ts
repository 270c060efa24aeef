// Kills the workload before its n-th call of some system call, cuts the power, lets it recover, and looks for what was acknowledged.

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { linesOf } from './chain.ts'
import { watched } from './daemon.ts'
import { hookOption } from './hooked.ts'
import { BATCHES, HOSTS, numbersOf } from './made-batches.ts'
import type { Random } from './random.ts'

/** Calls before which a process dies. Each is counted for itself, and in each thread. */
const CALLS = ['write', 'pwrite64', 'fdatasync', 'fsync', 'rename', 'ftruncate', 'unlink', 'openat'] as const

export interface Point {
  readonly call: string
  readonly n: number
}

export interface WorkloadResult {
  /** The last batch that was acknowledged. */
  readonly acknowledged: number
  readonly wasKilled: boolean
  readonly code: number | null
  readonly said: string
}

const WORKLOAD = fileURLToPath(new URL('./power-cut-workload.ts', import.meta.url))

export interface WorkloadOptions {
  readonly directory: string
  readonly acknowledged: number
  readonly hooks?: readonly string[]
  /** Where the compiled form of the sources is kept, so that each start is quick. */
  readonly cache: string
  readonly point?: Point | undefined
  /** Where strace writes every one of the calls; for counting them. */
  readonly trace?: string
  /** Ends here, in order. */
  readonly batches?: number
  /** Killed, without strace, as soon as so many batches are acknowledged. */
  readonly killAt?: number | undefined
}

/** Runs it once, to its end or to the point. */
export async function runWorkload(t: ExecutionContext, options: WorkloadOptions): Promise<WorkloadResult> {
  const { point, trace, hooks = [] } = options
  const program = [process.execPath, WORKLOAD, options.directory, String(options.acknowledged), String(options.batches ?? BATCHES)]
  const calls = point === undefined ? CALLS.join(',') : point.call
  const inject = point === undefined ? [] : ['-e', `inject=${point.call}:signal=KILL:when=${point.n}`]
  const strace = ['strace', '-f', '-qq', '-o', trace ?? '/dev/null', '-e', `trace=${calls}`, ...inject]
  const [command, ...args] = point === undefined && trace === undefined ? program : [...strace, ...program]
  const child = spawn(command!, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '1', NODE_COMPILE_CACHE: options.cache, NODE_OPTIONS: hookOption(...hooks) },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    const last = Number(stdout.trimEnd().split('\n').at(-1))
    if (options.killAt !== undefined && last >= options.killAt) child.kill('SIGKILL')
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const read = Promise.all([child.stdout, child.stderr].map((stream) => new Promise((resolve) => stream.once('close', resolve))))
  const { code, signal } = await watched(t, child)
  await read
  const lines = stdout.split('\n')
  lines.pop()
  const numbers = lines.filter((line) => /^\d+$/.test(line)).map(Number)
  return {
    acknowledged: Math.max(options.acknowledged, ...numbers),
    // A shell's way of saying it, when strace itself could not die as its child did.
    wasKilled: signal === 'SIGKILL' || code === 137,
    code,
    said: `${stdout.slice(-500)}${stderr.slice(-2000)}`,
  }
}

/** The first and the last call of each kind, in one thread, that a run makes on its own files. */
export type Calls = ReadonlyMap<string, { readonly first: number; readonly last: number }>

export async function countCalls(t: ExecutionContext, options: Omit<WorkloadOptions, 'point' | 'trace'>): Promise<Calls> {
  const trace = path.join(options.cache, 'trace')
  fs.mkdirSync(options.directory)
  // The first run fills the cache of compiled sources, and its calls would be counted.
  await runWorkload(t, { ...options, directory: `${options.directory}-warm` })
  const result = await runWorkload(t, { ...options, trace })
  if (result.code !== 0) throw new Error(`The workload failed without any fault: ${result.said}`)
  const counts = new Map<string, number>()
  const calls = new Map<string, { first: number; last: number }>()
  let hasBegun = false
  for (const line of fs.readFileSync(trace, 'latin1').split('\n')) {
    const match = /^(\d+) +(\w+)\(/.exec(line)
    if (match === null) continue
    const call = match[2]!
    const key = `${match[1]} ${call}`
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    // Before that, Node is only loading the program.
    hasBegun ||= line.includes(options.directory)
    if (!hasBegun) continue
    const known = calls.get(call)
    if (known === undefined) calls.set(call, { first: count, last: count })
    else known.last = Math.max(known.last, count)
  }
  return calls
}

/** A point of a run, each kind of call as likely as the others. @param part of the run, from its beginning */
export function pickPoint(calls: Calls, random: Random, part = 1): Point {
  const call = random.pick([...calls.keys()])
  const { first, last } = calls.get(call)!
  return { call, n: random.int(first, first + Math.floor((last - first) * part)) }
}

/** What is wrong with the files after everything was sent; undefined when each message stands there once and in order. */
export function faultOfFiles(directory: string): string | undefined {
  for (const host of HOSTS) {
    const folder = path.join(directory, 'logs', host)
    const wanted = numbersOf(host)
    const found = linesOf(path.join(folder, 'messages')).map((line) => Number(/: (\d+) x*$/.exec(line)?.[1] ?? Number.NaN))
    const at = wanted.findIndex((number, index) => found[index] !== number)
    if (at !== -1) return `${host}: line ${at + 1} should be message ${wanted[at]} and is ${found[at]}; ${found.length} of ${wanted.length}`
    if (found.length > wanted.length) return `${host}: ${found.length - wanted.length} lines too many`
    const beside = fs.readdirSync(folder).filter((name) => name !== 'messages')
    for (const name of beside) {
      const bytes = fs.readFileSync(path.join(folder, name))
      return `${host}: ${bytes.length} bytes set aside as foreign in ${name}: ${JSON.stringify(bytes.toString('latin1').slice(0, 200))}`
    }
  }
  return undefined
}

export interface History {
  readonly cuts: number
  readonly fault: string | undefined
  readonly told: string
}

/** A cut at each of the points, then a run to the end. */
export async function cutAndRecover(
  t: ExecutionContext,
  disk: { cut(elsewhere: boolean): void } | undefined,
  options: Pick<WorkloadOptions, 'directory' | 'cache' | 'hooks'>,
  points: readonly Point[],
): Promise<History> {
  fs.mkdirSync(options.directory)
  let acknowledged = 0
  let cuts = 0
  let told = ''
  for (const point of [...points, undefined]) {
    const result = await runWorkload(t, { ...options, acknowledged, point })
    told += `\n${point === undefined ? 'to the end' : `${point.call} ${point.n}`}: acknowledged ${result.acknowledged}. ${result.said}`
    if (!result.wasKilled && result.code !== 0) return { cuts, fault: `the workload ended with ${result.code}`, told }
    acknowledged = result.acknowledged
    if (result.wasKilled) cuts++
    if (point === undefined && result.wasKilled) return { cuts, fault: 'killed by someone else', told }
    disk?.cut(cuts % 2 === 1)
  }
  const fault = acknowledged === BATCHES ? faultOfFiles(options.directory) : `only ${acknowledged} of ${BATCHES} were acknowledged`
  return { cuts, fault, told }
}

/** Killed every few batches, without a power cut, until the end is reached. */
export async function killAndRecover(
  t: ExecutionContext,
  options: Pick<WorkloadOptions, 'directory' | 'cache' | 'hooks'>,
  random: Random,
): Promise<History> {
  fs.mkdirSync(options.directory)
  let acknowledged = 0
  let cuts = 0
  for (let killAt = random.int(1, 12); ; killAt = acknowledged + random.int(1, 12)) {
    const result = await runWorkload(t, { ...options, acknowledged, killAt: killAt < BATCHES ? killAt : undefined })
    if (!result.wasKilled && result.code !== 0) return { cuts, fault: `the workload ended with ${result.code}`, told: result.said }
    acknowledged = result.acknowledged
    if (result.wasKilled) cuts++
    else return { cuts, fault: faultOfFiles(options.directory), told: result.said }
  }
}
