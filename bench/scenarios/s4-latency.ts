import { type Latency, latency, throughput } from '../measure.ts'
import { type Scenario, table } from './scenario.ts'

const RATE = 1000
const MESSAGES = 10_000
const HALF_SECONDS = 10

function cells(late: Latency | undefined): string[] {
  return late === undefined ? ['-', '-', '-'] : [late.p50, late.p99, late.max].map(String)
}

export const latencies: Scenario = {
  id: 'S4',
  title: `milliseconds from socket to file, at ${RATE} messages/s and at half of what the system can take`,
  async run(bench) {
    const measured = await bench.inTurn(
      bench.systems,
      async (system, directory) => {
        const steady = await latency(system, bench.fresh(), bench.sender, bench.watcher, RATE, MESSAGES)
        const { perSecond } = await throughput(system, directory, bench.sender, bench.messages(500_000))
        const half = Math.round(perSecond / 2)
        return {
          steady,
          half: { rate: half, ...(await latency(system, bench.fresh(), bench.sender, bench.watcher, half, half * HALF_SECONDS)) },
        }
      },
      ({ steady, half }) =>
        `p50 ${steady.p50}, p99 ${steady.p99}, max ${steady.max}; at ${half.rate}/s ${half.p50}, ${half.p99}, ${half.max}`,
      1,
    )
    bench.write(
      table(
        ['system', 'p50', 'p99', 'max', 'half of its rate', 'p50', 'p99', 'max'],
        measured.map(({ one, results: [result] }) => [
          one.name,
          ...cells(result!.steady),
          String(result!.half.rate),
          ...cells(result!.half),
        ]),
      ),
    )
    return measured.map(({ one, results }) => ({ name: one.name, ...results[0] }))
  },
}
