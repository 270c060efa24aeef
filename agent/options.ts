import { z } from 'zod'
import {
  authorityOption,
  balanceOption,
  failBackOption,
  identityOption,
  listOption,
  logOptions,
  relayOption,
  renewOption,
  revocationIntervalOption,
  spoolOptions,
  stopTimeoutOption,
} from '../core/base/daemon-options.ts'
import { optionalOption, textOption } from '../core/base/option-kinds.ts'
import { rulesOption } from '../core/destinations/rules-option.ts'
import { isHostName } from '../core/transport/names.ts'
import { pinOption } from '../core/transport/pin-option.ts'
import { sourcesOption } from './source-options.ts'

const SPOOL_FALLBACK_BYTES = 1 << 30
const LISTS_FALLBACK_MS = 300_000
const hostNameOption = textOption(
  { sense: 'Name of this host in its messages; default the host name of the system', allowed: 'a host name such as web01.example.com' },
  (text) => (isHostName(text) ? { value: text } : { reason: 'not a host name' }),
)

/** agent.yaml. Sizes in bytes, durations in ms, modes as bits, addresses split, pins normalised; nothing is looked up or touched. */
export const agentOptions = z.strictObject({
  identity: identityOption,
  authority: authorityOption,
  renew: renewOption,
  revocation_interval: revocationIntervalOption(LISTS_FALLBACK_MS),
  hostname: optionalOption(hostNameOption),
  spool: spoolOptions(SPOOL_FALLBACK_BYTES),
  sources: sourcesOption,
  relays: listOption(
    'Where messages go: the first that answers, the next on failure',
    'relay',
    relayOption(pinOption('Only this certificate or key is the relay, whatever its name')),
  ),
  rules: rulesOption,
  balance: balanceOption,
  fail_back: failBackOption,
  log: logOptions,
  stop_timeout: stopTimeoutOption,
})

export type AgentOptions = z.infer<typeof agentOptions>
