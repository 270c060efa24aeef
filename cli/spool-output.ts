import { errnoOf, LoghopError } from '../core/base/errors.ts'

/** Lets a command go on to its end when nobody reads what it prints any more: `| head`. */
export function ignoreGoneReader(): void {
  process.stdout.on('error', () => undefined)
}

export function printLine(line: string): void {
  process.stdout.write(`${line}\n`)
}

/**
 * Writes to stdout and waits until it is taken, so that the bytes may be used again and memory stays bounded.
 * @returns false when the reader has gone
 * @throws {LoghopError} such as a full disk
 */
export function writeOut(bytes: Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => {
      if (error === undefined || error === null) resolve(true)
      else if (errnoOf(error) === 'EPIPE' || process.stdout.destroyed) resolve(false)
      else reject(new LoghopError('OUTPUT', `Cannot write the output: ${error.message}`, 'Check where it is sent to', { cause: error }))
    })
  })
}

/** `1 record`, `2 records`. */
export function counted(count: number, one: string): string {
  return `${count} ${count === 1 ? one : `${one}s`}`
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** A size to look at, rounded: `10.0GiB`. */
export function roundedSize(bytes: number): string {
  let size = bytes
  let unit = 0
  for (; size >= 1024 && unit < UNITS.length - 1; unit++) size /= 1024
  return `${unit === 0 ? size : size.toFixed(1)}${UNITS[unit]}`
}
