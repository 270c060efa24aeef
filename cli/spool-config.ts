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

export type Either =
  | { readonly program: 'agent'; readonly options: AgentOptions }
  | { readonly program: 'relay'; readonly options: RelayOptions }

/** Reads agent.yaml or relay.yaml. @throws {ConfigurationError} it is neither; of the two explanations the shorter one */
export function loadEither(file: string): Either {
  try {
    return { program: 'relay', options: loadConfiguration(file, relayOptions) }
  } catch (asRelay) {
    try {
      return { program: 'agent', options: loadConfiguration(file, agentOptions) }
    } catch (asAgent) {
      throw problemsOf(asAgent) <= problemsOf(asRelay) ? asAgent : asRelay
    }
  }
}

/** @throws {ConfigurationError} as loadEither */
export function loadConfiguredSpool(file: string): ConfiguredSpool {
  const { program, options } = loadEither(file)
  const own = program === 'agent' ? [UPLINK] : options.destinations.map(cursorOf)
  return { directory: options.spool.directory, cursors: [...own, ...planRules(options.rules).targets.map(({ name }) => name)] }
}

function problemsOf(error: unknown): number {
  return error instanceof ConfigurationError ? error.problems.length : Number.POSITIVE_INFINITY
}
