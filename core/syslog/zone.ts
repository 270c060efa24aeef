// Names of time zones as devices write them behind a time. Only those that mean one offset everywhere, and the four American ones of
// RFC 5322 section 4.3; `IST` and the like are left to the configuration.

const HOURS: Readonly<Record<string, number>> = {
  Z: 0,
  UT: 0,
  UTC: 0,
  GMT: 0,
  WET: 0,
  WEST: 1,
  BST: 1,
  CET: 1,
  CEST: 2,
  MEZ: 1,
  MESZ: 2,
  EET: 2,
  EEST: 3,
  MSK: 3,
  JST: 9,
  KST: 9,
  AEST: 10,
  AEDT: 11,
  NZST: 12,
  NZDT: 13,
  HST: -10,
  AKST: -9,
  AKDT: -8,
  PST: -8,
  PDT: -7,
  MST: -7,
  MDT: -6,
  CST: -6,
  CDT: -5,
  EST: -5,
  EDT: -4,
}
const NAME_LIMIT = 4

function key(name: string): number {
  let packed = 0
  for (let index = 0; index < name.length; index++) packed = packed * 128 + name.charCodeAt(index)
  return packed
}

const MINUTES = new Map(Object.entries(HOURS).map(([name, hours]) => [key(name), hours * 60]))

/** End of the word of capital letters at `at`: `at` itself when there is none, or it is longer than a zone's name. */
export function zoneNameEnd(bytes: Uint8Array, at: number, end: number): number {
  let index = at
  while (index < end && index - at <= NAME_LIMIT && bytes[index]! >= 0x41 && bytes[index]! <= 0x5a) index++
  return index - at > NAME_LIMIT ? at : index
}

/** Minutes east of UTC of the name at `start..end`, or NaN when it is none that we know. */
export function zoneMinutes(bytes: Uint8Array, start: number, end: number): number {
  let packed = 0
  for (let index = start; index < end; index++) packed = packed * 128 + bytes[index]!
  return MINUTES.get(packed) ?? Number.NaN
}

/** The names that an offset may follow: `UTC+2`, `GMT-05:00`, `TZ-6`. (`FW-1` is a host.) */
export function isUtcName(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    (end - start === 3 && zoneMinutes(bytes, start, end) === 0) || (end - start === 2 && bytes[start] === 0x54 && bytes[start + 1] === 0x5a)
  )
}
