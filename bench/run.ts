// npm run bench: C sender -> local socket -> sending host -> mutual TLS -> receiving host -> file per host, all on this machine, in a network namespace of its own
// when it may make one. Loghop and its peers in turn, round by round, since the same machine is not as fast an hour later.
// BENCH_ROUNDS, BENCH_MESSAGES; BENCH_ONLY: systems whose names begin so; BENCH_JSON: a file for the results.

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { compile } from './compile.ts'
import { BYTES, LATENCY_RATE, type Latency, latency, median, type Side, type Throughput, throughput } from './measure.ts'
import { QUEUE_LENGTH, ranInNamespace } from './namespace.ts'
import { loghop } from './systems/loghop.ts'
import { rsyslog } from './systems/rsyslog.ts'
import { syslogNg } from './systems/syslog-ng.ts'
import type { System } from './systems/system.ts'

const MESSAGES = Number(process.env['BENCH_MESSAGES'] ?? 1_000_000)
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3)
const ONLY = process.env['BENCH_ONLY'] ?? ''

interface Measured {
  readonly system: System
  readonly runs: Throughput[]
  latency?: Latency
}

function write(text: string): void {
  process.stdout.write(`${text}\n`)
}

function cpuOf({ userSeconds, systemSeconds }: Side): number {
  return userSeconds + systemSeconds
}

function bothOf({ sending, receiving }: Throughput): number {
  return cpuOf(sending) + cpuOf(receiving)
}

function versions(): string {
  const said = (program: string): string => {
    try {
      return execFileSync(program, ['-v'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
        .split('\n', 1)[0]!
        .replace(/ \(.*/, '')
        .replace(/\s+/g, ' ')
    } catch {
      return `${program} not installed`
    }
  }
  return `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}, ${said('rsyslogd')}, ${os.cpus().length} cores (${os.cpus()[0]!.model}), Linux ${os.release()}`
}

async function measureRound(all: readonly Measured[], directory: string, sender: string, failed: Set<Measured>): Promise<void> {
  for (const one of all) {
    if (failed.has(one)) continue
    try {
      const run = await throughput(one.system, fs.mkdtempSync(path.join(directory, 'run-')), sender, MESSAGES)
      one.runs.push(run)
      write(
        `${one.system.name.padEnd(26)} ${Math.round(run.perSecond)} messages/s; CPU s per million: sending ${cpuOf(run.sending).toFixed(2)} (user ${run.sending.userSeconds.toFixed(2)}), ` +
          `receiving ${cpuOf(run.receiving).toFixed(2)} (user ${run.receiving.userSeconds.toFixed(2)}); peak MB: ${run.sending.peakMegabytes} and ${run.receiving.peakMegabytes}`,
      )
    } catch (error) {
      failed.add(one)
      write(`${one.system.name.padEnd(26)} not measured: ${(error as Error).message}`)
    }
  }
}

function table(all: readonly Measured[]): void {
  const best = (pick: (one: Measured) => number, isLower: boolean, peers: readonly Measured[]): number =>
    isLower ? Math.min(...peers.map(pick)) : Math.max(...peers.map(pick))
  const speed = (one: Measured): number => median(one.runs.map((run) => run.perSecond))
  const cpu = (one: Measured): number => median(one.runs.map(bothOf))
  write('')
  write(`medians of ${ROUNDS}, ${MESSAGES} messages of ${BYTES} B; latency at ${LATENCY_RATE} messages/s`)
  write('| system | acknowledged | messages/s | CPU s per million | peak MB, sending and receiving | p50 ms | p99 ms | max ms |')
  write('|---|---|---|---|---|---|---|---|')
  for (const one of all) {
    const peak = (pick: (run: Throughput) => Side): number => median(one.runs.map((run) => pick(run).peakMegabytes))
    const late = one.latency
    write(
      `| ${one.system.name} | ${one.system.isAcknowledged ? 'yes' : 'no'} | ${Math.round(speed(one))} | ${cpu(one).toFixed(2)} | ${peak((run) => run.sending)}, ${peak((run) => run.receiving)} | ` +
        `${late === undefined ? '- | - | -' : `${late.p50} | ${late.p99} | ${late.max}`} |`,
    )
  }
  const ours = all.find(({ system }) => system === loghop)
  const peers = all.filter((one) => one !== ours)
  if (ours === undefined || peers.length === 0) return
  const acknowledged = peers.filter(({ system }) => system.isAcknowledged)
  const ratio = (value: number, other: number): string => (value / other).toFixed(2)
  write('')
  write(
    `loghop to the fastest peer: ${ratio(speed(ours), best(speed, false, peers))} times the messages/s, ${ratio(cpu(ours), best(cpu, true, peers))} of the least CPU time`,
  )
  if (acknowledged.length > 0)
    write(`loghop to the fastest acknowledged peer: ${ratio(speed(ours), best(speed, false, acknowledged))} times the messages/s`)
}

async function main(): Promise<void> {
  const queue = fs.readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'latin1').trim()
  write(`${versions()}, net.unix.max_dgram_qlen ${queue}`)
  if (queue !== String(QUEUE_LENGTH)) write(`(no namespace of its own could be made: run as root for a queue of ${QUEUE_LENGTH})`)
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-bench-'))
  try {
    const sender = compile(directory, 'sender')
    const watcher = compile(directory, 'watcher')
    const all: Measured[] = [loghop, ...rsyslog, ...syslogNg]
      .filter(({ name }) => name.startsWith(ONLY))
      .map((system) => ({ system, runs: [] }))
    const failed = new Set<Measured>()
    for (let round = 1; round <= ROUNDS; round++) {
      write(`round ${round}`)
      await measureRound(all, directory, sender, failed)
    }
    const measured = all.filter((one) => !failed.has(one))
    for (const one of measured)
      try {
        one.latency = await latency(one.system, fs.mkdtempSync(path.join(directory, 'run-')), sender, watcher)
      } catch (error) {
        write(`${one.system.name}: latency not measured: ${(error as Error).message}`)
      }
    table(measured)
    const json = process.env['BENCH_JSON']
    if (json !== undefined)
      fs.writeFileSync(
        json,
        `${JSON.stringify({ versions: versions(), queue, messages: MESSAGES, results: measured.map(({ system, ...rest }) => ({ name: system.name, ...rest })) }, undefined, 2)}\n`,
      )
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

if (!ranInNamespace()) await main()
