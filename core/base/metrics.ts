// Every series is declared here once; call sites pass its key, so a copied line cannot count under the wrong name.

export const METRICS = {
  messagesReceived: { name: 'loghop_messages_received_total', unit: 'messages', help: 'messages taken in from sources or peers' },
  messagesStored: { name: 'loghop_messages_stored_total', unit: 'messages', help: 'messages appended to the spool' },
  messagesRepeated: {
    name: 'loghop_messages_repeated_total',
    unit: 'messages',
    help: 'messages that had been stored before: acknowledged, not stored again',
  },
  messagesForwarded: { name: 'loghop_messages_forwarded_total', unit: 'messages', help: 'messages that the next relay acknowledged' },
  messagesFiled: { name: 'loghop_messages_filed_total', unit: 'messages', help: 'messages written to files' },
  messagesDelivered: {
    name: 'loghop_messages_delivered_total',
    unit: 'messages',
    help: 'messages handed to pipes, programs, local sockets, terminals and users',
  },
  messagesNotShown: {
    name: 'loghop_messages_not_shown_total',
    unit: 'messages',
    help: 'times that a terminal took no more and a message was not shown there, or only in part',
  },
  messagesSuppressed: {
    name: 'loghop_messages_suppressed_total',
    unit: 'messages',
    help: 'messages that the limit of a destination left out there',
  },
  messagesFolded: {
    name: 'loghop_messages_folded_total',
    unit: 'messages',
    help: 'messages that a file has as a count: "last message repeated N times"',
  },
  messagesCut: { name: 'loghop_messages_cut_total', unit: 'messages', help: 'messages over the limit, cut at their end' },
  messagesEscaped: {
    name: 'loghop_messages_escaped_total',
    unit: 'messages',
    help: 'messages forwarded as lines that hold a byte which a line cannot hold: it was sent as # and three octal digits',
  },
  messagesUnparsed: {
    name: 'loghop_messages_unparsed_total',
    unit: 'messages',
    help: 'messages without a header we know, kept whole as MSG',
  },
  messagesRenamed: {
    name: 'loghop_messages_renamed_total',
    unit: 'messages',
    help: 'messages filed under the name of their sender, or set apart, because they claimed another that it may not use',
  },
  namesLimited: {
    name: 'loghop_names_limited_total',
    unit: 'messages',
    help: 'messages filed under the name of their sender because it uses too many names, or new ones too fast',
  },
  bytesStored: { name: 'loghop_bytes_stored_total', unit: 'bytes', help: 'bytes appended to the spool' },
  peersAdmitted: { name: 'loghop_peers_admitted_total', unit: 'connections', help: 'connections whose certificate was admitted' },
  peersRefused: { name: 'loghop_peers_refused_total', unit: 'connections', help: 'connections refused before a byte was read' },
  connectionsFailed: { name: 'loghop_connections_failed_total', unit: 'connections', help: 'connections to a relay that failed or broke' },
  recordsQuarantined: {
    name: 'loghop_records_quarantined_total',
    unit: 'records',
    help: 'bytes in the spool that were no record, set aside',
  },
  miscounts: {
    name: 'loghop_miscounts_total',
    unit: 'findings',
    help: 'times that received, stored, shown and lost did not add up: a bug or a broken disk',
  },
  identityRenewals: {
    name: 'loghop_identity_renewals_total',
    unit: 'certificates',
    help: 'certificates that were renewed by this process',
  },
  identityRenewalsFailed: {
    name: 'loghop_identity_renewals_failed_total',
    unit: 'attempts',
    help: 'attempts to renew the certificate, or to fetch roots, that failed',
  },
  identityValidSeconds: {
    name: 'loghop_identity_valid_seconds',
    unit: 'seconds',
    help: 'time left until the certificate expires; 0 when it has (a level, not a count)',
  },
  identityAlarmLevel: {
    name: 'loghop_identity_alarm_level',
    unit: 'level',
    help: '0 all is well, 1 renewal or replacement is due, 2 to 4 ever less time is left, 5 the certificate has expired (a level, not a count)',
  },
  revocationFetchesFailed: {
    name: 'loghop_revocation_fetches_failed_total',
    unit: 'attempts',
    help: 'attempts to fetch revocation lists that failed',
  },
  revocationListAgeSeconds: {
    name: 'loghop_revocation_list_age_seconds',
    unit: 'seconds',
    help: 'age of the oldest revocation list in use (a level, not a count)',
  },
  peersCut: { name: 'loghop_peers_cut_total', unit: 'connections', help: 'live connections cut because the certificate was revoked' },
} as const

export type MetricKey = keyof typeof METRICS

/** Counters of one process. */
export class Metrics {
  readonly #values = new Map<MetricKey, number>()

  add(key: MetricKey, amount: number): void {
    this.#values.set(key, this.get(key) + amount)
  }

  /** For a level, which rises and falls. */
  set(key: MetricKey, value: number): void {
    this.#values.set(key, value)
  }

  get(key: MetricKey): number {
    return this.#values.get(key) ?? 0
  }

  /** All counters, also those that never moved, by the names of METRICS. */
  snapshot(): Record<string, number> {
    const all: Record<string, number> = {}
    for (const key of Object.keys(METRICS) as MetricKey[]) all[METRICS[key].name] = this.get(key)
    return all
  }
}
