import * as fs from 'node:fs'
import type { JournalEntry } from '../../syslog/journal-export.ts'
import { fieldText } from './entry-message.ts'

/** The service that systemd has started this process as; undefined when it was started otherwise. */
function ownUnit(): string | undefined {
  if (process.env['INVOCATION_ID'] === undefined || process.ppid !== 1) return undefined
  try {
    return /\/([^/\n]+\.service)$/m.exec(fs.readFileSync('/proc/self/cgroup', 'utf8'))?.[1]
  } catch {
    return undefined
  }
}

/**
 * Tells the entries that this agent has caused: what it logs of its troubles must not come back as a message that causes the next one. By pid, which covers
 * this process, and by unit, which covers those before it.
 */
export function ownEntries(): (entry: JournalEntry) => boolean {
  const pid = String(process.pid)
  const unit = ownUnit()
  return (entry) => fieldText(entry, '_PID') === pid || (unit !== undefined && fieldText(entry, '_SYSTEMD_UNIT') === unit)
}
