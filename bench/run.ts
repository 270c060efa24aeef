// npm run bench: C sender -> agent -> mutual TLS -> relay -> file, all on this machine, in a network namespace of its own when it may make one.

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { type Chain, startChain } from './chain.ts'
import { compile } from './compile.ts'
import { QUEUE_LENGTH, ranInNamespace } from './namespace.ts'
import { BYTES, median, output, type Throughput, throughput } from './throughput.ts'
import type { Usage } from './usage.ts'

const MESSAGES = Number(process.env['BENCH_MESSAGES'] ?? 1_000_000)
const LATENCY_MESSAGES = 10_000
const LATENCY_RATE = 1000
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3)

function write(text: string): void {
  process.stdout.write(`${text}\n`)
}

interface Latency {
  readonly lines: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

async function latency(directory: string, sender: string, watcher: string): Promise<Latency> {
  const chain: Chain = await startChain(directory)
  try {
    await output(spawn(sender, [chain.socket, '2000', String(BYTES), String(LATENCY_RATE)], { stdio: ['ignore', 'pipe', 'inherit'] }))
    const watching = spawn(watcher, [chain.file, String(LATENCY_MESSAGES)], { stdio: ['ignore', 'pipe', 'pipe'] })
    const seen = output(watching)
    await new Promise((resolve) => watching.stderr.once('data', resolve))
    await output(
      spawn(sender, [chain.socket, String(LATENCY_MESSAGES), String(BYTES), String(LATENCY_RATE)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    )
    return JSON.parse(await seen) as Latency
  } finally {
    await chain.stop()
  }
}

function cpu(usage: Usage): string {
  return `${((usage.userSeconds + usage.systemSeconds) * (1_000_000 / MESSAGES)).toFixed(2)} (user ${(usage.userSeconds * (1_000_000 / MESSAGES)).toFixed(2)}, system ${(usage.systemSeconds * (1_000_000 / MESSAGES)).toFixed(2)})`
}

async function main(): Promise<void> {
  const queue = fs.readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'latin1').trim()
  write(
    `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}, ${os.cpus().length} cores (${os.cpus()[0]!.model}), Linux ${os.release()}, net.unix.max_dgram_qlen ${queue}`,
  )
  if (queue !== String(QUEUE_LENGTH)) write(`(no namespace of its own could be made: run as root for a queue of ${QUEUE_LENGTH})`)
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-bench-'))
  try {
    const sender = compile(directory, 'sender')
    const watcher = compile(directory, 'watcher')
    const runs: Throughput[] = []
    for (let round = 1; round <= ROUNDS; round++) {
      const run = await throughput(fs.mkdtempSync(path.join(directory, 'run-')), sender, MESSAGES)
      runs.push(run)
      write(`round ${round}: ${Math.round(run.perSecond)} messages/s; sender done after ${run.senderSeconds.toFixed(2)} s`)
      write(`  CPU seconds per million: agent ${cpu(run.agent)}, relay ${cpu(run.relay)}`)
      write(`  peak RSS: agent ${run.agent.peakMegabytes} MB, relay ${run.relay.peakMegabytes} MB`)
    }
    const seconds = (run: Throughput): number =>
      (run.agent.userSeconds + run.agent.systemSeconds + run.relay.userSeconds + run.relay.systemSeconds) * (1_000_000 / MESSAGES)
    const late = await latency(fs.mkdtempSync(path.join(directory, 'run-')), sender, watcher)
    write('')
    write(`medians of ${ROUNDS}, ${MESSAGES} messages of ${BYTES} B, socket to file through mutual TLS, durable before acknowledged:`)
    write(`  throughput               ${Math.round(median(runs.map((run) => run.perSecond)))} messages/s   (target: at least 300000)`)
    write(`  CPU, agent and relay     ${median(runs.map(seconds)).toFixed(2)} s per million   (target: at most 3.5)`)
    write(
      `  peak RSS                 agent ${median(runs.map((run) => run.agent.peakMegabytes))} MB, relay ${median(runs.map((run) => run.relay.peakMegabytes))} MB   (target: at most 150 each)`,
    )
    write(
      `  latency at ${LATENCY_RATE}/s        p50 ${late.p50} ms, p90 ${late.p90}, p99 ${late.p99}, max ${late.max}, ${late.lines} lines   (target: p50 at most 1, p99 at most 5)`,
    )
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

if (!ranInNamespace()) await main()
