// Two sources that bring the same messages are refused: each line would stand twice in every file.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { LoghopError } from '../../base/errors.ts'

const JOURNAL_SOCKETS = '/run/systemd/journal'

/** Where a path leads, as far as it exists. */
export function leadsTo(file: string): string {
  try {
    return fs.realpathSync(file)
  } catch {
    try {
      const link = fs.readlinkSync(file)
      return path.resolve(path.dirname(file), link)
    } catch {
      return path.resolve(file)
    }
  }
}

function isOfJournal(file: string): boolean {
  return leadsTo(file).startsWith(`${JOURNAL_SOCKETS}/`)
}

/** Whether systemd's journal takes what programs write to /dev/log. */
export function isJournalAtDevLog(devLog = '/dev/log'): boolean {
  return isOfJournal(devLog)
}

/** What of the sources matters here. */
export interface FeedingSources {
  readonly sockets: readonly string[]
  /** Those of the sockets that were passed to us: the journal does not have them, though they may stand where its own would. */
  readonly passed?: readonly string[]
  /** The journal of this system, in its main namespace. */
  readonly hasJournal: boolean
}

/** What is wrong with a socket that is not ours to take, or whose messages another source brings too; undefined when nothing is. */
export function doubleFeed({ sockets, passed = [], hasJournal }: FeedingSources): LoghopError | undefined {
  for (const socket of sockets) {
    if (!isOfJournal(socket)) continue
    // What journald forwards to (ForwardToSyslog=yes), meant to be taken by a syslogd.
    const isForwarded = leadsTo(socket) === `${JOURNAL_SOCKETS}/syslog`
    if (isForwarded ? !hasJournal : passed.includes(socket)) continue
    const where = leadsTo(socket) === path.resolve(socket) ? '' : ` (it leads to ${leadsTo(socket)})`
    if (hasJournal) {
      return new LoghopError(
        'DOUBLE_FEED',
        `Cannot use both sources, unix ${socket}${where} and journal: systemd's journal takes what is written there, so each message would come twice`,
        'Leave one of them out of sources; journal is the one that loses nothing',
      )
    }
    return new LoghopError(
      'DOUBLE_FEED',
      `Cannot take messages from unix ${socket}${where}: that socket is systemd's journal's`,
      'Name journal in sources instead: it brings all that programs write there, and loses nothing while the agent is not running',
    )
  }
  return undefined
}
