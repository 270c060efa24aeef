import * as fs from 'node:fs'
import { errnoOf, LoghopError } from '../core/base/errors.ts'

export const PASSPHRASE_VARIABLE = 'LOGHOP_PASSPHRASE'
const PASSPHRASE_BYTES_MAX = 4096

function usage(sentence: string, remedy: string): LoghopError {
  return new LoghopError('USAGE', sentence, remedy)
}

/** The first line of a file that its owner alone may read. @throws {LoghopError} USAGE */
export function passphraseFrom(file: string): string {
  try {
    const fd = fs.openSync(file, 'r')
    try {
      const stat = fs.fstatSync(fd)
      if (stat.isFile() && (stat.mode & 0o077) !== 0) {
        throw usage(`Cannot use ${file}: others than its owner may read the passphrase`, `Run: chmod 600 ${file}`)
      }
      const bytes = Buffer.alloc(PASSPHRASE_BYTES_MAX + 1)
      let length = 0
      for (let got = -1; got !== 0 && length < bytes.length; length += got)
        got = fs.readSync(fd, bytes, length, bytes.length - length, null)
      if (length > PASSPHRASE_BYTES_MAX)
        throw usage(`Cannot use ${file}: it is over ${PASSPHRASE_BYTES_MAX} bytes`, 'Name a file with one line')
      return bytes.toString('utf8', 0, length).split(/\r?\n/, 1)[0]!
    } finally {
      fs.closeSync(fd)
    }
  } catch (error) {
    if (error instanceof LoghopError) throw error
    throw usage(`Cannot read ${file}: ${errnoOf(error) ?? 'unexpected error'}`, 'Correct --passphrase-file')
  }
}

/** One line from the terminal that is not shown. @throws {LoghopError} USAGE */
export function askTerminal(question: string): Promise<string> {
  const { stdin, stderr } = process
  if (!stdin.isTTY) throw usage('Cannot ask for a passphrase: standard input is no terminal', 'Give --passphrase-file FILE')
  stderr.write(question)
  return new Promise((resolve, reject) => {
    let typed = ''
    const end = (): void => {
      stdin.off('data', onTyped)
      stdin.setRawMode(false)
      stdin.pause()
      stderr.write('\n')
    }
    const onTyped = (text: string): void => {
      for (const character of text) {
        const isDone = character === '\r' || character === '\n'
        if (isDone || character === '\u0003' || character === '\u0004') {
          end()
          if (isDone) resolve(typed)
          else reject(usage('Cannot go on without the passphrase: it was not typed', 'Run it again'))
          return
        }
        typed = character === '\u007f' || character === '\b' ? typed.slice(0, -1) : typed + character
      }
    }
    stdin.setRawMode(true)
    stdin.setEncoding('utf8').on('data', onTyped)
    stdin.resume()
  })
}

/**
 * A new passphrase: the first line of `file`, else the environment's, else typed twice. It is never an argument, which every user of the host could read.
 * @throws {LoghopError} USAGE
 */
export async function newPassphrase(file: string | undefined): Promise<string> {
  if (file !== undefined) return passphraseFrom(file)
  const variable = process.env[PASSPHRASE_VARIABLE]
  if (variable !== undefined) return variable
  if (!process.stdin.isTTY) {
    const remedy = `Give --passphrase-file FILE, or set ${PASSPHRASE_VARIABLE}, or run it at a terminal`
    throw new LoghopError('USAGE', 'Cannot go on without a passphrase: none was given, and there is no terminal to ask at', remedy)
  }
  const passphrase = await askTerminal('Passphrase: ')
  if ((await askTerminal('The same once more: ')) === passphrase) return passphrase
  throw new LoghopError('USAGE', 'Cannot take the passphrase: what was typed the second time differs', 'Run the command again')
}
