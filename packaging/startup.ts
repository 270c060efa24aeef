// How long the packaged agent takes from its start until it says READY=1.

import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { bindDatagramSocket } from '../core/platform/datagram-socket.ts'
import { closeDescriptor } from '../core/platform/descriptors.ts'
import { HOME } from './application.ts'
import type { Tree } from './tree.ts'

const RUNS = 11
const DATAGRAM_LIMIT_BYTES = 4096

interface Start {
  /** Until it said READY=1. */
  readonly wallMs: number
  /** Of all its threads until then: what it costs, also while other programs want the processors. */
  readonly cpuMs: number
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!
}

/** Of the first run, which has no compiled form to go by, and of the others, in words. */
export async function measureStart(tree: Tree): Promise<string> {
  const [first, ...others] = await starts(tree)
  const [wall, cpu] = [others.map(({ wallMs }) => wallMs), others.map(({ cpuMs }) => cpuMs)]
  const rest = `then median ${median(wall).toFixed(0)} (${Math.min(...wall).toFixed(0)} to ${Math.max(...wall).toFixed(0)}) ms`
  return `${first!.wallMs.toFixed(0)} ms the first time, ${rest}; processor ${first!.cpuMs.toFixed(0)} ms, then median ${median(cpu).toFixed(0)} ms`
}

async function starts(tree: Tree): Promise<Start[]> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-'))
  const node = tree.place(`${HOME}/node`)
  const entry = tree.place(`${HOME}/app/cli/loghop.js`)
  try {
    execFileSync(node, [entry, 'identity', 'new', 'web01.example.com', '--role', 'agent', '--directory', path.join(directory, 'identity')])
    const config = path.join(directory, 'agent.yaml')
    const socket = path.join(directory, 'log')
    const spool = { directory: path.join(directory, 'spool') }
    const pin = `sha256:${'0'.repeat(64)}`
    const relays = [{ address: '127.0.0.1:1', pin }]
    fs.writeFileSync(config, JSON.stringify({ identity: path.join(directory, 'identity'), spool, sources: [{ unix: socket }], relays }))
    const times: Start[] = []
    for (let run = 0; run < RUNS; run++)
      times.push(await oneStart(directory, [node, '--max-semi-space-size=1', entry, 'agent', 'run', '--config', config]))
    return times
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** Nanoseconds of a thread stand first in its file. */
function processorMs(pid: number): number {
  const threads = fs.readdirSync(`/proc/${pid}/task`).map((thread) => fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1'))
  return threads.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0) / 1e6
}

async function oneStart(directory: string, command: readonly string[]): Promise<Start> {
  const notify = path.join(directory, 'notify')
  const fd = bindDatagramSocket(notify, 0o600)
  const env = { ...process.env, NOTIFY_SOCKET: notify, CACHE_DIRECTORY: path.join(directory, 'cache') }
  const beginMs = performance.now()
  const child = spawn(command[0]!, command.slice(1), { env, stdio: ['ignore', 'ignore', 'ignore'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  try {
    const bytes = Buffer.alloc(DATAGRAM_LIMIT_BYTES)
    for (;;) {
      // Blocks a thread of the pool, not this one.
      const got = await Promise.race([readOne(fd, bytes), ended.then(() => undefined)])
      if (got === undefined) throw new Error('The agent ended before it was ready')
      if (/^READY=1$/m.test(bytes.toString('utf8', 0, got))) return { wallMs: performance.now() - beginMs, cpuMs: processorMs(child.pid!) }
    }
  } finally {
    child.kill('SIGTERM')
    await ended
    closeDescriptor(fd)
    fs.rmSync(notify, { force: true })
  }
}

function readOne(fd: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => fs.read(fd, bytes, 0, bytes.length, null, (error, got) => (error ? reject(error) : resolve(got))))
}
