import type { Clock } from '../../base/clock.ts'
import type { Metrics } from '../../base/metrics.ts'
import { type Lookup, systemLookup } from '../../transport/plain-connector.ts'
import type { SyslogFraming } from '../../transport/syslog-framing.ts'
import type { RelayAddress } from '../../transport/tls-connector.ts'
import type { TlsIdentity } from '../../transport/tls-policy.ts'
import { DATAGRAM_LIMIT_BYTES } from './datagram-link.ts'
import type { LinkEvents } from './link.ts'
import { openLink } from './open-link.ts'
import type { ForeignProtocol } from './protocols.ts'

/** FreeBSD's net.inet.udp.maxdgram: where a system does not send the longest datagrams, these it does. */
const SHORT_DATAGRAM_BYTES = 9216

/** How receivers that are no Loghop relays are reached. */
export interface LinkTerms {
  readonly protocol: ForeignProtocol
  /** Octet counting where left out. */
  readonly framing?: SyslogFraming | undefined
  /** Whether tcp and udp may go to another host, where everyone on the way can read and change them. */
  readonly mayLeaveHost: boolean
  readonly identity: () => TlsIdentity
  /** Our own certificate in words, for the lines that explain a refusal. */
  readonly describeIdentity: () => string
  /** The system's look-up of names when left out; a test brings its own. */
  readonly lookup?: Lookup
}

/** Opens the links of one destination, one after the other; what the system has shown of its datagrams is remembered. */
export class LinkOpener {
  readonly #terms: LinkTerms
  readonly #metrics: Metrics
  readonly #clock: Clock
  #datagramLimitBytes = DATAGRAM_LIMIT_BYTES

  constructor(terms: LinkTerms, metrics: Metrics, clock: Clock) {
    this.#terms = terms
    this.#metrics = metrics
    this.#clock = clock
  }

  /** With the identity of now. @returns what drops the link, see openLink */
  open(receiver: RelayAddress, events: LinkEvents): () => void {
    const { protocol, framing = 'octet-counted', mayLeaveHost, identity, describeIdentity, lookup = systemLookup } = this.#terms
    const options = {
      protocol,
      framing,
      mayLeaveHost,
      lookup,
      describeIdentity,
      identity: identity(),
      clock: this.#clock,
      datagramLimitBytes: this.#datagramLimitBytes,
      onCut: () => this.#metrics.add('messagesCut', 1),
      onEscaped: () => this.#metrics.add('messagesEscaped', 1),
      onDatagramTooLong: () => {
        this.#datagramLimitBytes = SHORT_DATAGRAM_BYTES
      },
    }
    return openLink(receiver, options, events)
  }
}
