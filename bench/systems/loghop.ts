import { hostOf, startChain, writeRelayConfiguration } from '../chain.ts'
import { makeIdentities, type Receiver, type System } from './system.ts'

/** Durable on both sides before it is acknowledged: the default. @param more of agent.yaml */
export function loghopWith(name: string, more: (directory: string) => string): System {
  return {
    name,
    isAcknowledged: true,
    start: (directory) => startChain(directory, { more: more(directory) }),
  }
}

/** As it is towards a relay that is not on loopback. */
export const loghopZstd: System = {
  name: 'loghop, zstd',
  isAcknowledged: true,
  start: (directory) => startChain(directory, { compress: 'zstd' }),
}

export const loghop = loghopWith('loghop', () => '')

/** The relay alone. @param protocol of its senders */
function receiverOf(name: string, protocol: Receiver['protocol']): Receiver {
  return {
    name,
    isAcknowledged: protocol !== 'counted',
    protocol,
    async start(directory) {
      const { sending, receiving } = await makeIdentities(directory)
      const port = await writeRelayConfiguration(directory, receiving)
      return { port, identity: sending, logs: `${directory}/logs`, host: await hostOf('relay', directory) }
    },
  }
}

export const loghopReceivers: readonly Receiver[] = [
  receiverOf('loghop, RFC 5425', 'counted'),
  receiverOf('loghop, RELP', 'relp'),
  receiverOf('loghop, batch', 'batch'),
]
