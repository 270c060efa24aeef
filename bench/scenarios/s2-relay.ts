import { cpuOf, median } from '../measure.ts'
import { receive } from './relay-alone.ts'
import { ratio, type Scenario, table } from './scenario.ts'

const HOSTS = 100

export const relay: Scenario = {
  id: 'S2',
  title: `the receiving half alone: 8 mutual TLS connections, ${HOSTS} hosts`,
  async run(bench) {
    const messages = bench.messages(2_000_000)
    const measured = await bench.inTurn(
      bench.receivers,
      (receiver, directory) => receive(receiver, directory, bench.tlsSender, { messages, hosts: HOSTS }),
      ({ perSecond, receiving }) =>
        `${Math.round(perSecond)} messages/s; CPU s per million ${cpuOf(receiving).toFixed(2)} (user ${receiving.userSeconds.toFixed(2)}); peak MB ${receiving.peakMegabytes}`,
    )
    const medians = measured.map(({ one, results }) => ({
      name: one.name,
      isAcknowledged: one.isAcknowledged,
      perSecond: median(results.map(({ perSecond }) => perSecond)),
      cpuSeconds: median(results.map(({ receiving }) => cpuOf(receiving))),
      megabytes: median(results.map(({ receiving }) => receiving.peakMegabytes)),
    }))
    bench.write(
      table(
        ['receiver', 'acknowledged', 'messages/s', 'CPU s per million', 'peak MB'],
        medians.map((one) => [
          one.name,
          one.isAcknowledged ? 'yes' : 'no',
          String(Math.round(one.perSecond)),
          one.cpuSeconds.toFixed(2),
          String(one.megabytes),
        ]),
      ),
    )
    bench.write(`messages/s: ${ratio(medians, (one) => one.perSecond, false)}`)
    bench.write(`CPU time: ${ratio(medians, (one) => one.cpuSeconds, true)}`)
    return medians
  },
}
