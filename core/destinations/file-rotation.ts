// Rotation of our own: a file that is large or old enough is renamed in its folder, and the next line begins a new one. Where that falls changes no line
// and loses none: what a crash leaves is found by the inode (replay.ts), whatever the file is called by then.

import * as fs from 'node:fs'
import type { MinutesAt } from '../syslog/moment.ts'
import type { OpenFile } from './file-cache.ts'
import { openParent, within } from './open-below.ts'
import type { Compression } from './pack-file.ts'

export const ROTATION_PERIODS = ['hour', 'day', 'week', 'month'] as const
export type RotationPeriod = (typeof ROTATION_PERIODS)[number]

export interface RotationOptions {
  /** A file of at least so many bytes is closed. */
  readonly sizeBytes: number | undefined
  /** So is one whose first line came before this hour, day, week (from Monday) or month began. */
  readonly every: RotationPeriod | undefined
  /** The zone in which those begin. */
  readonly minutesAt: MinutesAt
  /** Closed files that stay, of one file: so many, so young, so many bytes in all. */
  readonly keep: number | undefined
  readonly keepMs: number | undefined
  readonly keepBytes: number | undefined
  readonly compress: Compression
}

const DAY_SECONDS = 86_400
/** 1970-01-01 was a Thursday. */
const MONDAY_DAYS = 3

/** A number that is another one in each period. @param second since 1970 UTC */
export function periodOf(second: number, every: RotationPeriod, minutesAt: MinutesAt): number {
  const wall = second + minutesAt(second) * 60
  switch (every) {
    case 'hour':
      return Math.floor(wall / 3600)
    case 'day':
      return Math.floor(wall / DAY_SECONDS)
    case 'week':
      return Math.floor((wall / DAY_SECONDS + MONDAY_DAYS) / 7)
    case 'month': {
      const date = new Date(wall * 1000)
      return date.getUTCFullYear() * 12 + date.getUTCMonth()
    }
    default:
      return every satisfies never
  }
}

/** Whether the file has to be closed before the next line. An empty one never. */
export function isRotationDue(file: OpenFile, options: RotationOptions, nowSecond: number): boolean {
  if (file.size === 0) return false
  if (options.sizeBytes !== undefined && file.size >= options.sizeBytes) return true
  const { every, minutesAt } = options
  return every !== undefined && periodOf(nowSecond, every, minutesAt) > periodOf(file.bornSecond, every, minutesAt)
}

/** `20261125T031207Z` behind the name; sorts by time. */
export const GENERATION = /^(\d{8}T\d{6}Z(?:-\d{1,4})?)(\.zst|\.gz)?$/

/**
 * Makes the file durable and renames it in its folder. The caller closes it.
 * @throws the errno of the failing call; the file stands under one of the two names
 */
export function rotateFile(file: OpenFile, base: string, components: readonly string[], nowSecond: number): void {
  fs.fdatasyncSync(file.fd)
  file.isDirty = false
  const { fd, directory } = openParent(base, components)
  try {
    const name = components.at(-1)!
    // Moved away by someone else a moment ago: that is noticed by itself.
    if (fs.lstatSync(within(fd, directory, name), { throwIfNoEntry: false })?.ino !== file.inode) return
    renameClosed(fd, directory, name, nowSecond)
  } finally {
    fs.closeSync(fd)
  }
}

/** Gives a file, to which nobody writes any more, a name that no other has. @param fd of its folder @throws the errno of the failing call */
export function renameClosed(fd: number, directory: string, name: string, second: number): void {
  const stamp = new Date(second * 1000).toISOString().replace(/[-:]|\.\d+/g, '')
  let generation = `${name}.${stamp}`
  // More than one in a second; also what is compressed already counts.
  const taken = new Set(fs.readdirSync(within(fd, directory, '.')))
  for (let count = 1; taken.has(generation) || taken.has(`${generation}.gz`) || taken.has(`${generation}.zst`); count++)
    generation = `${name}.${stamp}-${String(count).padStart(4, '0')}`
  fs.renameSync(within(fd, directory, name), within(fd, directory, generation))
  fs.fsyncSync(fd)
}
