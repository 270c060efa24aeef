// Local socket -> sending host -> mutual TLS -> receiving host -> file of the host.

import { BYTES, cpuOf, median, type Throughput, throughput } from '../measure.ts'
import { ratio, type Scenario, table } from './scenario.ts'

function bothOf({ sending, receiving }: Throughput): number {
  return cpuOf(sending) + cpuOf(receiving)
}

function inWords({ perSecond, sending, receiving }: Throughput): string {
  return (
    `${Math.round(perSecond)} messages/s; CPU s per million: sending ${cpuOf(sending).toFixed(2)} (user ${sending.userSeconds.toFixed(2)}), ` +
    `receiving ${cpuOf(receiving).toFixed(2)} (user ${receiving.userSeconds.toFixed(2)}); peak MB: ${sending.peakMegabytes} and ${receiving.peakMegabytes}`
  )
}

export const chain: Scenario = {
  id: 'S1',
  title: `from the local socket to the file of the host, messages of ${BYTES} B`,
  async run(bench) {
    const messages = bench.messages(1_000_000)
    const measured = await bench.inTurn(
      bench.systems,
      (system, directory) => throughput(system, directory, bench.sender, messages),
      inWords,
    )
    const medians = measured.map(({ one, results }) => ({
      name: one.name,
      isAcknowledged: one.isAcknowledged,
      perSecond: median(results.map(({ perSecond }) => perSecond)),
      cpuSeconds: median(results.map(bothOf)),
      sendingMegabytes: median(results.map(({ sending }) => sending.peakMegabytes)),
      receivingMegabytes: median(results.map(({ receiving }) => receiving.peakMegabytes)),
    }))
    bench.write(
      table(
        ['system', 'acknowledged', 'messages/s', 'CPU s per million', 'peak MB, sending and receiving'],
        medians.map((one) => [
          one.name,
          one.isAcknowledged ? 'yes' : 'no',
          String(Math.round(one.perSecond)),
          one.cpuSeconds.toFixed(2),
          `${one.sendingMegabytes}, ${one.receivingMegabytes}`,
        ]),
      ),
    )
    const speedOf = (one: (typeof medians)[number]): number => one.perSecond
    const acknowledged = medians.filter((one) => one.isAcknowledged)
    bench.write(`messages/s: ${ratio(medians, speedOf, false)}`)
    bench.write(`messages/s among the acknowledged: ${ratio(acknowledged, speedOf, false)}`)
    bench.write(`CPU time: ${ratio(medians, (one) => one.cpuSeconds, true)}`)
    return medians
  },
}
