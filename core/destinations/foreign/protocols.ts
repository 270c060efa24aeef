/** What a receiver that is no Loghop relay may speak. */
export type ForeignProtocol = 'relp' | 'syslog-tls' | 'tcp' | 'udp'

/** What each promises, for `status`; docs/forwarding.md says why. */
export const GUARANTEES: Readonly<Record<ForeignProtocol, string>> = {
  relp: 'at least once: the receiver acknowledges each message, and has some twice after a broken connection',
  'syslog-tls':
    'best effort: nothing is acknowledged; the last second is sent again after a broken connection, what the receiver had taken longer ago and not stored is lost',
  tcp: 'best effort, and readable on the way: nothing is acknowledged; the last second is sent again after a broken connection, what the receiver had taken longer ago and not stored is lost',
  udp: 'best effort, and readable on the way: nothing is acknowledged and whatever a full buffer drops is lost; very long messages are cut',
}
