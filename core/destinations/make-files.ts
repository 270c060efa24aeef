import * as fs from 'node:fs'
import type { Clock } from '../base/clock.ts'
import type { LoghopError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Spool } from '../spool/spool.ts'
import { readTemplate } from '../syslog/macros.ts'
import type { MinutesAt } from '../syslog/moment.ts'
import { type ChosenOptions, savedWithFiles } from './chosen-files.ts'
import { datedPattern } from './dated-pattern.ts'
import { destinationName } from './destination-name.ts'
import { FilePlanner } from './file-plan.ts'
import type { RotationOptions } from './file-rotation.ts'
import { FilesDestination, type FilesOptions } from './files.ts'
import type { FilesOption } from './files-options.ts'
import { LatestLink } from './latest-link.ts'
import { lineMaker } from './line-options.ts'
import { refusedDirectory } from './open-below.ts'
import { ownerNumber } from './owners.ts'
import { messageSelects } from './selector-selects.ts'
import { makeShaper } from './shapers.ts'
import type { SharedRecords } from './shared-records.ts'
import { minutesAtZone } from './zones.ts'

export interface FilesWorld {
  readonly spool: Spool
  readonly records: SharedRecords
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  readonly openFilesLimit: number
}

/** Its cursor is named after the path, so that it outlives a change of everything else. @param selects in place of the options' own `select` and `when` */
export function makeFilesDestination(options: FilesOption, world: FilesWorld, selects = messageSelects(options)): FilesDestination {
  const { spool, records, log, metrics, clock, openFilesLimit } = world
  const minutesAt = minutesAtZone(options.zone)
  // Else it would be told with the first message only.
  const fault = directoryInstead(options)
  if (fault !== undefined) log.error('files-failed', `${fault.message}. ${fault.remedy}`, {})
  const attachment = spool.attach(destinationName('files', options.files), true)
  const shaper = makeShaper(options, selects, savedWithFiles(attachment), metrics)
  // By host, whole and in the usual form, lines are made without a detour.
  const isPlain = selects === undefined && options.format === undefined && shaper === undefined && isByHost(options.files)
  const chosen: ChosenOptions | undefined = isPlain
    ? undefined
    : { records, planner: new FilePlanner(options.files, selects, minutesAt, shaper), shaper, lines: lineMaker(options.format, minutesAt) }
  const modes = {
    file: options.file_mode,
    directory: options.directory_mode,
    ...ownersOf(options),
    createDirectories: options.create_dirs,
  }
  const files = {
    template: options.files,
    modes,
    openFilesLimit,
    fsync: options.fsync,
    chosen,
    ...datedOf(options, minutesAt, log),
    rotation: rotationOf(options, minutesAt),
  }
  return new FilesDestination(files, spool, attachment, log, metrics, clock)
}

/** Where a path without macros leads to a directory. */
export function directoryInstead({ files }: FilesOption): LoghopError | undefined {
  const result = readTemplate(files)
  if (result.kind === 'malformed' || result.template.pieces.some((piece) => !('literal' in piece))) return undefined
  const file = files.replaceAll('$$', '$')
  return fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() === true ? refusedDirectory(file) : undefined
}

/** @throws {LoghopError} there is no such user or group */
export function ownersOf({ owner, group }: FilesOption): { uid: number | undefined; gid: number | undefined } {
  return { uid: ownerNumber(owner, 'user'), gid: ownerNumber(group, 'group') }
}

function isByHost(path: string): boolean {
  const result = readTemplate(path)
  return (
    result.kind === 'template' &&
    result.template.pieces.every((piece) => 'literal' in piece || piece.name === 'HOST') &&
    !path.includes('$$')
  )
}

/** What is done with the files of a path with a date in it. */
function datedOf(
  { files, expire, latest, compress, rotate }: FilesOption,
  minutesAt: MinutesAt,
  log: Log,
): Pick<FilesOptions, 'dated' | 'generations' | 'onOpened'> {
  const result = readTemplate(files)
  if (result.kind === 'malformed' || (expire === undefined && latest === undefined && compress === 'none')) return {}
  const pattern = datedPattern(result.template)
  const link = latest === undefined ? undefined : new LatestLink(pattern, latest, log)
  return {
    ...((expire !== undefined || compress !== 'none') && {
      dated: { pattern, expire, closing: compress === 'none' ? undefined : { every: pattern.every, minutesAt } },
    }),
    ...(compress !== 'none' &&
      rotate === undefined && { generations: { keep: undefined, keepMs: undefined, keepBytes: undefined, compress } }),
    ...(link !== undefined && { onOpened: (components) => link.opened(components) }),
  }
}

function rotationOf({ rotate }: FilesOption, minutesAt: MinutesAt): RotationOptions | undefined {
  if (rotate === undefined) return undefined
  const { size, every, keep, keep_for, keep_size, compress } = rotate
  return { sizeBytes: size, every, minutesAt, keep, keepMs: keep_for, keepBytes: keep_size, compress }
}
