import { startChain } from '../chain.ts'
import type { System } from './system.ts'

/** Durable on both sides before it is acknowledged: the default. @param more of agent.yaml */
export function loghopWith(name: string, more: (directory: string) => string): System {
  return {
    name,
    isAcknowledged: true,
    async start(directory) {
      const chain = await startChain(directory, more(directory))
      return { ...chain, sending: [chain.agent.pid!], receiving: [chain.relay.pid!] }
    },
  }
}

export const loghop = loghopWith('loghop', () => '')
