// What an entry of the journal becomes.

import { composeHead, element } from '../../syslog/compose.ts'
import type { JournalEntry } from '../../syslog/journal-export.ts'
import { SENDER_SD_ID } from '../../syslog/local.ts'

const LOG_INFO = 6
const LOG_USER = 1

export const JOURNAL_FIELDS = [
  'MESSAGE',
  'PRIORITY',
  'SYSLOG_FACILITY',
  'SYSLOG_IDENTIFIER',
  'SYSLOG_PID',
  '_PID',
  '_UID',
  '_COMM',
  '_HOSTNAME',
  '_TRANSPORT',
  '_SYSTEMD_UNIT',
  '_BOOT_ID',
  '_SOURCE_REALTIME_TIMESTAMP',
] as const
export const CURSOR_FIELD = '__CURSOR'
export const TIME_FIELD = '__REALTIME_TIMESTAMP'

export function fieldText(entry: JournalEntry, name: string): string | undefined {
  return entry.get(name)?.bytes.toString('utf8')
}

function numberOf(text: string | undefined, limit: number, fallback: number): number {
  return text !== undefined && /^\d{1,16}$/.test(text) && Number(text) <= limit ? Number(text) : fallback
}

/** @param extra names of further fields, which become parameters of `journal@32473` under their own names */
export function entryHead(entry: JournalEntry, hostname: string, extra: readonly string[], nowUs: number): string {
  const text = (name: string): string | undefined => fieldText(entry, name)
  const isKernel = text('_TRANSPORT') === 'kernel'
  const facility = numberOf(text('SYSLOG_FACILITY'), 23, isKernel ? 0 : LOG_USER)
  const pid = text('_PID')
  const claimed = text('SYSLOG_PID')
  const host = text('_HOSTNAME')
  const written = numberOf(text(TIME_FIELD), Number.MAX_SAFE_INTEGER, nowUs)
  const sender = element(SENDER_SD_ID, [
    ['pid', pid],
    ['uid', text('_UID')],
    ['claimedPid', pid !== undefined && claimed !== pid ? claimed : undefined],
  ])
  const journal = element('journal@32473', [
    ['unit', text('_SYSTEMD_UNIT')],
    ['comm', text('_COMM')],
    ['transport', text('_TRANSPORT')],
    ['hostname', host === hostname || host === hostname.split('.', 1)[0] ? undefined : host],
    ...extra.map((name) => [name, text(name)] as const),
  ])
  return composeHead({
    pri: facility * 8 + numberOf(text('PRIORITY'), 7, LOG_INFO),
    timeUs: numberOf(text('_SOURCE_REALTIME_TIMESTAMP'), Number.MAX_SAFE_INTEGER, written),
    hostname,
    program: text('SYSLOG_IDENTIFIER') ?? text('_COMM') ?? (isKernel ? 'kernel' : ''),
    procid: pid ?? claimed ?? '',
    structured: sender + journal,
  })
}
