// Agent, site relay, central relay: from the local socket to the file at the centre.

import * as fs from 'node:fs'
import { hostOf, startChain, writeRelayConfiguration } from '../chain.ts'
import { cpuOf, median, throughput } from '../measure.ts'
import { Host, makeIdentities, type System } from '../systems/system.ts'
import { type Scenario, table } from './scenario.ts'

/** The relay of the chain hands on to another one, whose files count; both relays count as the receiving side. */
const threeNodes: System = {
  name: 'loghop, two relays',
  isAcknowledged: true,
  async start(directory) {
    const central = `${directory}/central`
    fs.mkdirSync(central)
    const { receiving } = await makeIdentities(central)
    const port = await writeRelayConfiguration(central, receiving)
    const host = await hostOf('relay', central)
    const site = await startChain(directory, { forwardTo: `localhost:${port}`, authority: `${central}/ca` })
    const both = Host.of([site.receiving, host])
    return { ...site, file: site.file.replace(directory, central), receiving: both }
  },
}

export const three: Scenario = {
  id: 'S7',
  title: 'a chain of three: agent, site relay, central relay',
  async run(bench) {
    const messages = bench.messages(500_000)
    const measured = await bench.inTurn(
      [threeNodes],
      (system, directory) => throughput(system, directory, bench.sender, messages),
      ({ perSecond, sending, receiving }) =>
        `${Math.round(perSecond)} messages/s; CPU s per million: agent ${cpuOf(sending).toFixed(2)}, both relays ${cpuOf(receiving).toFixed(2)}`,
    )
    const medians = measured.map(({ one, results }) => ({ name: one.name, perSecond: median(results.map(({ perSecond }) => perSecond)) }))
    bench.write(
      table(
        ['chain', 'messages/s'],
        medians.map(({ name, perSecond }) => [name, String(Math.round(perSecond))]),
      ),
    )
    return medians
  },
}
