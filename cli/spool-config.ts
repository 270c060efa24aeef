import { UPLINK } from '../agent/destinations.ts'
import { type AgentOptions, agentOptions } from '../agent/options.ts'
import { ConfigurationError, loadConfiguration } from '../core/base/configuration.ts'
import { planRules } from '../core/destinations/rule-targets.ts'
import { cursorOf } from '../relay/destinations.ts'
import { type RelayOptions, relayOptions } from '../relay/options.ts'

/** Whose spool it is, and the cursors that a daemon with this configuration has. */
export interface ConfiguredSpool {
  readonly directory: string
  readonly cursors: readonly string[]
}

/** Reads agent.yaml or relay.yaml. @throws {ConfigurationError} it is neither; of the two explanations the shorter one */
export function loadConfiguredSpool(file: string): ConfiguredSpool {
  let relay: RelayOptions
  try {
    relay = loadConfiguration(file, relayOptions)
  } catch (asRelay) {
    try {
      return ofAgent(loadConfiguration(file, agentOptions))
    } catch (asAgent) {
      throw problemsOf(asAgent) <= problemsOf(asRelay) ? asAgent : asRelay
    }
  }
  const cursors = [...relay.destinations.map(cursorOf), ...planRules(relay.rules).targets.map(({ name }) => name)]
  return { directory: relay.spool.directory, cursors }
}

function ofAgent(options: AgentOptions): ConfiguredSpool {
  return { directory: options.spool.directory, cursors: [UPLINK, ...planRules(options.rules).targets.map(({ name }) => name)] }
}

function problemsOf(error: unknown): number {
  return error instanceof ConfigurationError ? error.problems.length : Number.POSITIVE_INFINITY
}
