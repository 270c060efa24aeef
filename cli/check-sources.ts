import * as fs from 'node:fs'
import type { SourceOption } from '../agent/source-options.ts'
import { defaultSources, doubleFeedOf } from '../agent/sources.ts'
import { LoghopError } from '../core/base/errors.ts'
import { checkBind, type Verdict } from '../core/daemon/check.ts'
import { directoryInstead } from '../core/pipeline/file/directory-instead.ts'
import { requireJournalctl } from '../core/pipeline/journal/journal-source.ts'
import { openKernelLog } from '../core/pipeline/kernel/kmsg-source.ts'
import { isSocketLive } from '../core/platform/datagram-socket.ts'

/** Of a socket or pipe that is to be made. */
function checkPlace(path: string): Verdict {
  const what = 'source'
  try {
    fs.accessSync(path.slice(0, Math.max(1, path.lastIndexOf('/'))), fs.constants.W_OK)
    return { what, isGood: true, text: `${path} can be made`, remedy: '' }
  } catch (error) {
    const remedy = 'Make its directory, or run the agent as a user that may write there'
    return { what, isGood: false, text: (error as Error).message, remedy }
  }
}

function checkSocket(path: string): Verdict {
  const what = 'source'
  const stat = fs.lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined || (stat.isSocket() && !isSocketLive(path))) return checkPlace(path)
  const found = stat.isSymbolicLink()
    ? `a link to ${fs.readlinkSync(path)}`
    : stat.isSocket()
      ? 'a socket that a running process listens on'
      : 'no socket'
  const remedy =
    stat.isSocket() || stat.isSymbolicLink()
      ? 'If that is this agent running, all is well; else stop the daemon that has it, or name another path'
      : 'Name another path in sources, or move it away'
  return { what, isGood: false, text: `${path} is ${found}`, remedy }
}

/** What `run` would open for each source. Without any, of those that it would take. */
export async function checkSources(options: readonly SourceOption[] | undefined): Promise<Verdict[]> {
  const sources = options ?? defaultSources()
  const twice = doubleFeedOf(sources)
  const what = 'source'
  if (twice !== undefined) return [{ what, isGood: false, text: twice.message, remedy: twice.remedy }]
  const verdicts = await Promise.all(sources.map((source) => (isTcp(source) ? checkTcp(source) : [checkSource(source)])))
  return verdicts.flat().filter((verdict) => verdict !== undefined)
}

function isTcp(source: SourceOption): source is Extract<SourceOption, { tcp: unknown }> {
  return typeof source === 'object' && 'tcp' in source
}

function checkTcp({ tcp }: Extract<SourceOption, { tcp: unknown }>): Promise<Verdict[]> {
  return Promise.all(tcp.flatMap((bind) => (bind.kind === 'address' ? [checkBind(bind.host, bind.port, 'source')] : [])))
}

function checkSource(source: SourceOption): Verdict | undefined {
  if (source === 'internal' || source === 'stdin') return undefined
  if (source === 'journal' || (typeof source === 'object' && 'journal' in source))
    return tried('the journal can be read', requireJournalctl)
  if (source === 'kernel') return undefined
  if ('kernel' in source) return tried(`${source.kernel} can be read`, () => fs.closeSync(openKernelLog(source.kernel)))
  // Whether a port is free for UDP shows only when it is bound, and what arrives at that moment would be lost.
  if ('udp' in source || 'tcp' in source || 'mark' in source) return undefined
  if ('file' in source) return checkFiles(source.file)
  if ('pipe' in source) return checkPipe(source.pipe)
  return checkSocket('unix' in source ? source.unix : source['unix-stream'])
}

function tried(text: string, open: () => void): Verdict {
  const what = 'source'
  try {
    open()
    return { what, isGood: true, text, remedy: '' }
  } catch (error) {
    return { what, isGood: false, text: (error as Error).message, remedy: error instanceof LoghopError ? error.remedy : '' }
  }
}

function checkFiles(pattern: string): Verdict {
  const what = 'source'
  const fault = directoryInstead(pattern)
  if (fault !== undefined) return { what, isGood: false, text: fault.message, remedy: fault.remedy }
  const files = fs.globSync(pattern).filter((file) => directoryInstead(file) === undefined)
  for (const file of files) {
    try {
      fs.accessSync(file, fs.constants.R_OK)
    } catch (error) {
      return { what, isGood: false, text: (error as Error).message, remedy: 'Run the agent as a user that may read it' }
    }
  }
  const text =
    files.length === 0
      ? `${pattern} matches no file yet`
      : `${pattern} matches ${files.length === 1 ? '1 file, which can be read' : `${files.length} files, all readable`}`
  return { what, isGood: true, text, remedy: '' }
}

function checkPipe(path: string): Verdict {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false })
  const what = 'source'
  if (stat === undefined) return checkPlace(path)
  if (stat.isFIFO()) return { what, isGood: true, text: `${path} is a named pipe`, remedy: '' }
  return { what, isGood: false, text: `${path} is not a named pipe`, remedy: 'Name another path in sources, or move it away' }
}
