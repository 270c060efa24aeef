// With 20 rules, from the socket to the relay's file; in turn, so that each has the same machine.

import { cpuOf, median, throughput } from '../measure.ts'
import { loghopWith } from '../systems/loghop.ts'
import { type Scenario, table } from './scenario.ts'

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
function rulesOf(directory: string, last: string): string {
  const lines = [...SELECTORS, last].map((select, at) => `  - { select: "${select}", to: ${directory}/local/log-${at}, format: bsd }`)
  return `rules:\n${lines.join('\n')}\n`
}

const SYSTEMS = [
  loghopWith('no rules', () => ''),
  loghopWith('20 rules, none of which takes a message', (directory) => rulesOf(directory, 'user.debug;user.!debug')),
  loghopWith('20 rules, one of which files every message', (directory) => rulesOf(directory, '*.notice')),
]

export const rules: Scenario = {
  id: 'S8',
  title: 'what 20 rules on the agent cost, against none',
  async run(bench) {
    const messages = bench.messages(500_000)
    const measured = await bench.inTurn(
      SYSTEMS,
      (system, directory) => throughput(system, directory, bench.sender, messages),
      ({ perSecond, sending }) => `${Math.round(perSecond)} messages/s, agent ${cpuOf(sending).toFixed(2)} CPU s per million`,
    )
    const medians = measured.map(({ one, results }) => ({
      name: one.name,
      perSecond: median(results.map(({ perSecond }) => perSecond)),
      cpuSeconds: median(results.map(({ sending }) => cpuOf(sending))),
      peakMegabytes: median(results.map(({ sending }) => sending.peakMegabytes)),
    }))
    const slower = (perSecond: number): string => ((1 - perSecond / medians[0]!.perSecond) * 100).toFixed(1)
    bench.write(
      table(
        ['rules', 'messages/s', 'slower by %', 'CPU s of the agent per million', 'its peak MB'],
        medians.map((one) => [
          one.name,
          String(Math.round(one.perSecond)),
          slower(one.perSecond),
          one.cpuSeconds.toFixed(2),
          String(one.peakMegabytes),
        ]),
      ),
    )
    return medians
  },
}
