// Does a program that logs ever wait? The receiver is gone, the smallest spool there is is full, and 10,000 lines come each second.

import * as fs from 'node:fs'
import { hostOf } from '../chain.ts'
import { BYTES, send } from '../measure.ts'
import { makeIdentities } from '../systems/system.ts'
import { type Scenario, table } from './scenario.ts'

const RATE = 10_000
const SECONDS = 60
/** Fills 64 MiB. */
const FILL_MESSAGES = 260_000

export const freeze: Scenario = {
  id: 'S9',
  title: `milliseconds that send(2) takes, relay gone and spool full, at ${RATE} lines/s   (target: max at most 50)`,
  async run(bench) {
    const directory = bench.fresh()
    const { sending } = await makeIdentities(directory)
    fs.writeFileSync(
      `${directory}/agent.yaml`,
      `identity: ${sending}
spool: { directory: ${directory}/spool, limit: 64MiB }
sources: [ { unix: ${directory}/log } ]
relays: [ "127.0.0.1:1" ]
stop_timeout: 100ms
`,
    )
    const agent = await hostOf('agent', directory)
    try {
      const to = { socket: `${directory}/log` }
      await send(bench.sender, to, FILL_MESSAGES, BYTES)
      const taken = JSON.parse(await send(bench.sender, to, bench.messages(RATE * SECONDS), BYTES, RATE)) as Record<
        'p50' | 'p99' | 'max',
        number
      >
      bench.write(table(['system', 'p50', 'p99', 'max'], [['loghop', String(taken.p50), String(taken.p99), String(taken.max)]]))
      return taken
    } finally {
      await agent.stop()
    }
  },
}
