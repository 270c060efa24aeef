import { startChain } from '../chain.ts'
import type { System } from './system.ts'

/** Durable on both sides before it is acknowledged: the default. */
export const loghop: System = {
  name: 'loghop',
  isAcknowledged: true,
  async start(directory) {
    const chain = await startChain(directory)
    return { ...chain, sending: [chain.agent.pid!], receiving: [chain.relay.pid!] }
  },
}
