// node bench/rules.ts: what 20 rules on the agent cost, against none, from the socket to the relay's file; in turn, so that both have the same machine.

import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { compile } from './compile.ts'
import { BYTES, median, type Throughput, throughput } from './measure.ts'
import { ranInNamespace } from './namespace.ts'
import { loghopWith } from './systems/loghop.ts'

const MESSAGES = Number(process.env['BENCH_MESSAGES'] ?? 500_000)
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3)

/** As they stand in the files of FreeBSD and Debian, and some more; the sender's messages are user.notice. */
const SELECTORS = [
  '*.err;kern.debug;auth.notice;mail.crit',
  'security.*',
  'auth.info;authpriv.info',
  'mail.info',
  'lpr.info',
  'cron.*',
  '*.emerg',
  'daemon.*',
  'kern.*',
  'news.crit',
  'news.err',
  'news.=notice',
  'uucp.*',
  'local0.*',
  'local1.*',
  'local2.*',
  'local7.*',
  'ftp.*',
  'mail.err',
] as const

/** @param last of the 20 */
function rules(directory: string, last: string): string {
  const lines = [...SELECTORS, last].map((select, at) => `  - { select: "${select}", to: ${directory}/local/log-${at}, format: bsd }`)
  return `rules:\n${lines.join('\n')}\n`
}

const SYSTEMS = [
  loghopWith('no rules', () => ''),
  loghopWith('20 rules, none of which takes a message', (directory) => rules(directory, 'user.debug;user.!debug')),
  loghopWith('20 rules, one of which files every message', (directory) => rules(directory, '*.notice')),
]

function cpuOf({ sending }: Throughput): number {
  return sending.userSeconds + sending.systemSeconds
}

async function main(): Promise<void> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-bench-rules-'))
  const runs = SYSTEMS.map((): Throughput[] => [])
  try {
    const sender = compile(directory, 'sender')
    for (let round = 0; round < ROUNDS; round++)
      for (const [at, system] of SYSTEMS.entries()) {
        const place = fs.mkdtempSync(path.join(directory, 'run-'))
        runs[at]!.push(await throughput(system, place, sender, MESSAGES))
        fs.rmSync(place, { recursive: true })
      }
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
  process.stdout.write(`medians of ${ROUNDS}, ${MESSAGES} messages of ${BYTES} B, from the socket to the file of the relay:\n`)
  const [none] = runs
  for (const [at, { name }] of SYSTEMS.entries()) {
    const rate = median(runs[at]!.map(({ perSecond }) => perSecond))
    const slower = (1 - rate / median(none!.map(({ perSecond }) => perSecond))) * 100
    const peak = median(runs[at]!.map(({ sending }) => sending.peakMegabytes))
    const cpu = median(runs[at]!.map(cpuOf)).toFixed(2)
    const against = at === 0 ? '' : `, ${slower.toFixed(1)} % slower   (target: at most 15)`
    process.stdout.write(`  ${name}: ${Math.round(rate)} messages/s, agent ${cpu} CPU s per million and ${peak} MB at most${against}\n`)
  }
}

if (!ranInNamespace()) await main()
