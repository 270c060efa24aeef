import type { Clock } from '../../base/clock.ts'
import { LoghopError } from '../../base/errors.ts'
import type { LogFields } from '../../base/log.ts'
import { describeCertificate } from '../../transport/certificate.ts'
import { connectTcp, connectUdp, type Lookup } from '../../transport/plain-connector.ts'
import type { SyslogFraming } from '../../transport/syslog-framing.ts'
import { connectTls, type RelayAddress } from '../../transport/tls-connector.ts'
import type { TlsIdentity } from '../../transport/tls-policy.ts'
import { DatagramLink } from './datagram-link.ts'
import { framesOf } from './frames.ts'
import type { Link, LinkEvents } from './link.ts'
import type { ForeignProtocol } from './protocols.ts'
import { RelpLink } from './relp-link.ts'
import { StreamLink } from './stream-link.ts'

export interface LinkOptions {
  readonly protocol: ForeignProtocol
  readonly identity: TlsIdentity
  /** Our own certificate in words. */
  readonly describeIdentity: () => string
  /** For tcp and udp. */
  readonly mayLeaveHost: boolean
  readonly lookup: Lookup
  readonly clock: Clock
  /** For syslog-tls and tcp. */
  readonly framing: SyslogFraming
  readonly onEscaped: () => void
  /** For udp: longer messages are cut. */
  readonly datagramLimitBytes: number
  readonly onCut: () => void
  readonly onDatagramTooLong: () => void
}

const UNREACHABLE = 'Check that the receiver runs, its name, its port and the way there; the spool keeps everything meanwhile'
const AGAIN = 'It is tried again by itself'

/** Opens one connection to a receiver in the protocol that is asked for. @returns a function that ends it; no event comes after it */
export function openLink(receiver: RelayAddress, options: LinkOptions, told: LinkEvents): () => void {
  const { protocol, clock } = options
  const name = `${receiver.host}:${receiver.port}`
  let link: Link | undefined
  let isOver = false
  const events: LinkEvents = {
    onReady: (ready, fields) => {
      if (!isOver) told.onReady(ready, fields)
    },
    onRoom: () => {
      if (!isOver) told.onRoom()
    },
    onDone: (messages) => {
      if (!isOver) told.onDone(messages)
    },
    onClosed: () => {
      if (!isOver) told.onClosed()
    },
    onFailed: (sentence, remedy) => {
      if (isOver) return
      // OpenSSL's words when the other side refused ours; with TLS 1.3 that comes after the connection.
      const isRefusal = /\balert\b/i.test(sentence)
      const ours = `Ours is ${options.describeIdentity()}. See the receiver's log for what it wants`
      told.onFailed(`${name}: ${sentence}`, isRefusal ? ours : remedy || AGAIN)
    },
  }
  const onFailed = (error: Error): void => {
    if (isOver) return
    const remedy = error instanceof LoghopError ? error.remedy : UNREACHABLE
    told.onFailed(`Cannot reach ${name}: ${messageOf(error)}`, remedy)
  }
  const openStream = (socket: ConstructorParameters<typeof StreamLink>[0], fields: LogFields): void => {
    link = new StreamLink(socket, framesOf(options.framing, options.onEscaped), clock, events)
    events.onReady(link, fields)
  }
  const open = (): (() => void) => {
    const target = { host: receiver.host, port: receiver.port, mayLeaveHost: options.mayLeaveHost }
    if (protocol === 'tcp') {
      return connectTcp(target, options.lookup, {
        onConnected: (socket) => openStream(socket, { address: `${socket.remoteAddress}` }),
        onFailed,
      })
    }
    if (protocol === 'udp') {
      return connectUdp(target, options.lookup, {
        onConnected: (socket) => {
          link = new DatagramLink(socket, clock, options.datagramLimitBytes, options.onCut, options.onDatagramTooLong, events)
          events.onReady(link, { address: socket.remoteAddress().address })
        },
        onFailed,
      })
    }
    return connectTls(
      receiver,
      options.identity,
      {
        onConnected: (socket) => {
          if (isOver) {
            socket.destroy()
            return
          }
          const fields = { address: `${socket.remoteAddress}`, tls: socket.getProtocol() ?? '' }
          if (protocol === 'relp') link = new RelpLink(socket, clock, fields, events)
          else openStream(socket, fields)
        },
        onRefused: (refused) => {
          const facts = refused.facts === undefined ? '' : `; it presented ${describeCertificate(refused.facts)}`
          if (!isOver) told.onFailed(`${name} is not the receiver we trust: ${refused.sentence}${facts}`, refused.remedy)
        },
        onFailed,
      },
      protocol === 'relp',
    )
  }
  const giveUp = open()
  return () => {
    isOver = true
    giveUp()
    link?.destroy()
  }
}

/** A name with several addresses fails with one error for each, and none of its own. */
function messageOf(error: Error): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined
  return first instanceof Error ? first.message : error.message
}
