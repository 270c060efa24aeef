import * as fs from 'node:fs'
import * as path from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { errnoOf, LoghopError } from '../core/base/errors.ts'
import { nodeFiles } from '../core/base/files.ts'
import { printable } from '../core/base/printable.ts'
import { takeLock } from '../core/platform/lock.ts'
import { checkIsSpool } from '../core/spool/inspect.ts'
import { repairSpool } from '../core/spool/inspect-repair.ts'
import { verifySpool } from '../core/spool/inspect-verify.ts'
import { EXIT_FAILED } from './daemon-commands.ts'
import { type CatFlags, catSpool } from './spool-cat.ts'
import { type ExportFlags, exportSpool } from './spool-export.ts'
import { type ListFlags, listSpool } from './spool-ls.ts'
import { isOpenElsewhere } from './spool-open.ts'
import { counted, ignoreGoneReader, printLine } from './spool-output.ts'

const ORPHAN_DAYS = 7

async function verify(directory: string, flags: { json?: boolean }): Promise<void> {
  checkIsSpool(nodeFiles, directory)
  const isJson = flags.json === true
  const verified = await verifySpool(directory, {
    files: nodeFiles,
    isOpen: () => isOpenElsewhere(directory),
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    onDamage: (damage) =>
      printLine(
        isJson
          ? JSON.stringify({ damage })
          : `DAMAGED  ${printable(damage.file, 4096)}, offset ${damage.offset}, ${counted(damage.bytes, 'byte')}: ${damage.reason}. ${damage.remedy}`,
      ),
    onNote: (note) => printLine(isJson ? JSON.stringify({ note }) : `note     ${printable(note, 4096)}`),
  })
  const { damaged, records, messages, segments, streams } = verified
  const verdict = damaged === 0 ? 'sound' : `DAMAGED, ${counted(damaged, 'finding')}`
  const read = `${counted(segments, 'segment')}, ${counted(records, 'record')}, ${counted(messages, 'message')} of ${counted(streams, 'stream')}`
  printLine(isJson ? JSON.stringify(verified) : `${verdict}: ${read}`)
  if (damaged > 0) process.exitCode = EXIT_FAILED
}

/** Files that root makes in another user's spool would keep its daemon from starting. */
function checkIsOwner(directory: string): void {
  const owner = fs.statSync(directory).uid
  if (process.geteuid?.() === owner) return
  throw new LoghopError(
    'SPOOL_OWNER',
    `Cannot repair ${directory}: it belongs to the user with the id ${owner}, and this runs as ${process.geteuid?.()}`,
    `Run it as the owner: sudo -u '#${owner}' loghop spool repair ${directory}`,
  )
}

function repair(directory: string, flags: { dryRun?: boolean }): void {
  checkIsSpool(nodeFiles, directory)
  checkIsOwner(directory)
  const isDry = flags.dryRun === true
  const file = path.join(directory, 'lock')
  try {
    // Nobody can have it open when there is no lock; a dry run makes none.
    const lock = isDry && nodeFiles.statPath(file) === undefined ? { release: () => undefined } : takeLock(file)
    if (lock === undefined) {
      throw new LoghopError(
        'SPOOL_LOCKED',
        `Cannot repair ${directory}: a running process has it open`,
        `Stop that one first ("fuser ${file}" names it). "loghop spool verify ${directory}" may run beside it`,
      )
    }
    try {
      const { done, left } = repairSpool(directory, {
        files: nodeFiles,
        isDry,
        onDone: (text) => printLine(`${isDry ? 'would' : 'done:'} ${printable(text, 4096)}`),
        onLeft: (text, remedy) => printLine(`LEFT  ${printable(text, 4096)}. ${remedy}`),
      })
      if (done === 0 && left === 0) printLine('nothing to repair')
      else if (!isDry && done > 0) printLine(`${counted(done, 'thing')} done; check it with: loghop spool verify ${directory}`)
      if (left > 0) process.exitCode = EXIT_FAILED
    } finally {
      lock.release()
    }
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    const remedy =
      errno === 'ENOSPC'
        ? 'Free space on its file system, and run it again: what was done holds'
        : 'Mend that, and run it again: what was done holds'
    throw new LoghopError('SPOOL', `Cannot repair ${directory}: ${(error as Error).message}`, remedy, { cause: error })
  }
}

function days(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('A whole number of days is needed.')
  return Number(text)
}

const CAT_HELP = `
One line per message, as the files of a relay have it: what would forge a line or drive a terminal is written as # and three octal digits.
Times are those of the messages, or of receipt where a message has none. A time without zone is one of this machine; a day alone begins at midnight.

Examples:
  $ loghop spool cat /var/lib/loghop/agent-spool --since 2026-11-23T02:50:00Z --host web01.example.com
  $ loghop spool cat /var/lib/loghop/agent-spool --from-cursor uplink | grep sshd`

const EXPORT_HELP = `
octet-counted (RFC 6587, 3.4.1) holds every byte of every message: its length in digits, a space, the message. lines has one message on a line; a line feed
in a message is written as #012 there, and a NUL as #000. Without --all and --from-cursor it begins where the slowest destination is.

Example:
  $ loghop spool export /var/lib/loghop/agent-spool undelivered.log --format lines`

/** Adds `spool ls|verify|cat|export|repair`. Their failures are LoghopErrors, for the caller to print. */
export function registerSpool(program: Command): void {
  const spool = program.command('spool').description('look at the messages that wait on the disk of an agent or relay, and mend them')
  spool.hook('preAction', ignoreGoneReader)
  spool
    .command('ls')
    .description('segments, cursors and quarantine of a spool; in a directory of spools, those that nothing has open')
    .argument('<dir>', 'directory of a spool, or one that holds spools')
    .option('-c, --config <file>', 'agent.yaml or relay.yaml: a cursor whose destination it does not name is orphaned')
    .option(
      '--older <days>',
      'without --config, a cursor that is behind and has not moved for so long counts as orphaned',
      days,
      ORPHAN_DAYS,
    )
    .option('--json', 'all of it as JSON')
    .action((directory: string, flags: ListFlags) => listSpool(directory, flags))
  spool
    .command('verify')
    .description('read every record and check it; exit 1 when something is damaged. Changes nothing, and may run beside the daemon')
    .argument('<dir>', 'directory of the spool')
    .option('--json', 'one JSON document on each line: {"damage"}, {"note"}, and the sums at the end')
    .action(verify)
  spool
    .command('cat')
    .description('print the messages')
    .argument('<dir>', 'directory of the spool')
    .option('--raw', 'the very bytes of each message, and LF')
    .option('--host <name>', 'only of this host')
    .option('--since <time>', 'only from this time on, such as 2026-11-23T02:50:00Z')
    .option('--until <time>', 'only before this time')
    .option('--after <position>', 'start at SEGMENT:OFFSET, as ls shows it for a cursor')
    .option('--from-cursor <name>', 'start where this destination is')
    .addHelpText('after', CAT_HELP)
    .action((directory: string, flags: CatFlags) => catSpool(directory, flags))
  spool
    .command('export')
    .description('write the messages that are not yet delivered to a file that other programs read')
    .argument('<dir>', 'directory of the spool')
    .argument('<file>', 'file to make; must not exist yet')
    .option('--all', 'also what is delivered and still kept')
    .option('--from-cursor <name>', 'from where this destination is')
    .option('--format <format>', 'octet-counted or lines', 'octet-counted')
    .addHelpText('after', EXPORT_HELP)
    .action((directory: string, file: string, flags: ExportFlags) => exportSpool(directory, file, flags))
  spool
    .command('repair')
    .description('mend a damaged spool while its daemon is stopped; what is cut or replaced is kept in quarantine/')
    .argument('<dir>', 'directory of the spool')
    .option('--dry-run', 'only tell what would be done')
    .action(repair)
}
