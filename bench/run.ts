// npm run bench: Loghop beside rsyslog and syslog-ng, scenario by scenario, all on this machine, in a network namespace of its own when it may make one.
// BENCH_SCENARIOS: which, such as S1,S4 (default: all). BENCH_ROUNDS: 3. BENCH_SCALE: part of the messages, such as 0.1. BENCH_ONLY: systems whose names begin so.
// BENCH_JSON: a file for the results.

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { compile } from './compile.ts'
import { QUEUE_LENGTH, ranInNamespace } from './namespace.ts'
import { chain } from './scenarios/s1-chain.ts'
import { relay } from './scenarios/s2-relay.ts'
import { killed } from './scenarios/s3-killed.ts'
import { latencies } from './scenarios/s4-latency.ts'
import { idle } from './scenarios/s5-idle.ts'
import { wire } from './scenarios/s6-wire.ts'
import { three } from './scenarios/s7-three.ts'
import { rules } from './scenarios/s8-rules.ts'
import { freeze } from './scenarios/s9-freeze.ts'
import { growth } from './scenarios/s10-growth.ts'
import { Bench, type Scenario } from './scenarios/scenario.ts'
import { loghop, loghopReceivers } from './systems/loghop.ts'
import { rsyslog, rsyslogReceivers } from './systems/rsyslog.ts'
import { syslogNg, syslogNgReceivers } from './systems/syslog-ng.ts'

const SCENARIOS: readonly Scenario[] = [chain, relay, killed, latencies, idle, wire, three, rules, freeze, growth]

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

function chosen(): readonly Scenario[] {
  const wanted = process.env['BENCH_SCENARIOS']?.split(',')
  if (wanted === undefined) return SCENARIOS
  const unknown = wanted.find((id) => !SCENARIOS.some((one) => one.id === id))
  if (unknown !== undefined) throw new Error(`BENCH_SCENARIOS names ${unknown}: ${SCENARIOS.map(({ id }) => id).join(', ')} are there`)
  return SCENARIOS.filter(({ id }) => wanted.includes(id))
}

async function main(): Promise<void> {
  const scenarios = chosen()
  const queue = fs.readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'latin1').trim()
  const isOwn = queue === String(QUEUE_LENGTH)
  process.stdout.write(`${versions()}, net.unix.max_dgram_qlen ${queue}\n`)
  if (!isOwn) process.stdout.write(`(no namespace of its own could be made: run as root for a queue of ${QUEUE_LENGTH})\n`)
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-bench-'))
  const only = process.env['BENCH_ONLY'] ?? ''
  const results: Record<string, unknown> = {}
  try {
    const bench = new Bench({
      directory,
      rounds: Number(process.env['BENCH_ROUNDS'] ?? 3),
      scale: Number(process.env['BENCH_SCALE'] ?? 1),
      systems: [loghop, ...rsyslog, ...syslogNg].filter(({ name }) => name.startsWith(only)),
      receivers: [...loghopReceivers, ...rsyslogReceivers, ...syslogNgReceivers].filter(({ name }) => name.startsWith(only)),
      sender: compile(directory, 'sender'),
      watcher: compile(directory, 'watcher'),
      tlsSender: compile(directory, 'tls-sender', 'ssl', 'crypto', 'pthread'),
    })
    for (const scenario of scenarios) {
      bench.write(`\n${scenario.id}: ${scenario.title}`)
      results[scenario.id] = await scenario.run(bench)
      const json = process.env['BENCH_JSON']
      if (json !== undefined) fs.writeFileSync(json, `${JSON.stringify({ versions: versions(), queue, results }, undefined, 2)}\n`)
    }
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

if (!ranInNamespace()) await main()
