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
import { modeOption, optionalOption, pathOption, textOption } from '../core/base/option-kinds.ts'
import { optionNotes } from '../core/base/option-notes.ts'
import { sizeOption } from '../core/base/quantities.ts'
import { isHostName } from '../core/transport/names.ts'
import { pinOption } from '../core/transport/pin-option.ts'

const SPOOL_FALLBACK_BYTES = 1 << 30
const LISTS_FALLBACK_MS = 300_000
// sun_path of FreeBSD with its final NUL, the shortest of our platforms.
const SOCKET_PATH_MAX_BYTES = 103

const socketLimitOption = sizeOption({
  sense: 'Longest message taken, longer ones are cut',
  min: 1 << 10,
  max: 1 << 20,
  fallback: 64 << 10,
})
const socketModeOption = modeOption('Who may send: permissions of the socket', '0666')

const sourceOption = z
  .union([
    z.literal('internal').describe("The agent's own log"),
    z.strictObject({
      unix: pathOption('A datagram socket that programs log to, such as /dev/log', SOCKET_PATH_MAX_BYTES),
      limit: socketLimitOption,
      mode: socketModeOption,
    }),
    z.strictObject({
      'unix-stream': pathOption('A stream socket that programs log to', SOCKET_PATH_MAX_BYTES),
      limit: socketLimitOption,
      mode: socketModeOption,
    }),
  ])
  .register(optionNotes, { allowed: 'internal, or a mapping with unix or unix-stream (a path), optionally limit and mode' })

const hostNameOption = textOption(
  { sense: 'Name of this host in its messages; default the host name of the system', allowed: 'a host name such as web01.example.com' },
  (text) => (isHostName(text) ? { value: text } : { reason: 'not a host name' }),
)

/** agent.yaml. Sizes in bytes, durations in ms, modes as bits, addresses split, pins normalised; nothing is looked up or touched. */
export const agentOptions = z
  .strictObject({
    identity: identityOption,
    authority: authorityOption,
    renew: renewOption,
    revocation_interval: revocationIntervalOption(LISTS_FALLBACK_MS),
    hostname: optionalOption(hostNameOption),
    spool: spoolOptions(SPOOL_FALLBACK_BYTES),
    sources: listOption('Where messages come from', 'source', sourceOption),
    relays: listOption(
      'Where messages go: the first that answers, the next on failure',
      'relay',
      relayOption(pinOption('Only this certificate or key is the relay, whatever its name')),
    ),
    balance: balanceOption,
    fail_back: failBackOption,
    log: logOptions,
    stop_timeout: stopTimeoutOption,
  })
  .register(optionNotes, {
    unavailable: { rules: 'the agent ships everything, keep your old syslogd for local files' },
  })

export type AgentOptions = z.infer<typeof agentOptions>
