import * as fs from 'node:fs'
import type { ReadStream } from 'node:tty'
import { errnoOf, LoghopError } from '../core/base/errors.ts'

export const PASSPHRASE_VARIABLE = 'LOGHOP_PASSPHRASE'
const FILE_BYTES = 4096
const TYPED_CHARACTERS = 1024

function firstLine(file: string): string {
  try {
    const fd = fs.openSync(file, fs.constants.O_RDONLY)
    try {
      const bytes = Buffer.alloc(FILE_BYTES)
      return bytes.toString('utf8', 0, fs.readSync(fd, bytes, 0, FILE_BYTES, null)).split(/\r?\n/, 1)[0]!
    } finally {
      fs.closeSync(fd)
    }
  } catch (error) {
    const sentence = `Cannot read the passphrase from ${file}: ${errnoOf(error) ?? 'unexpected error'}`
    throw new LoghopError('USAGE', sentence, 'Give a file whose first line is the passphrase, and that this user may read', {
      cause: error,
    })
  }
}

/** One line from a terminal that shows nothing of it. */
function typed(question: string, terminal: ReadStream): Promise<string> {
  process.stderr.write(question)
  terminal.setRawMode(true).setEncoding('utf8').resume()
  return new Promise((resolve, reject) => {
    let line = ''
    const finish = (): void => {
      terminal.off('data', take)
      terminal.setRawMode(false).pause()
      process.stderr.write('\n')
    }
    const take = (text: string): void => {
      for (const character of text) {
        if (character === '\r' || character === '\n') {
          finish()
          resolve(line)
          return
        }
        if (character === '\u0003' || character === '\u0004') {
          finish()
          reject(new LoghopError('USAGE', 'Cannot go on without a passphrase: it was not given', 'Run the command again'))
          return
        }
        // Delete and backspace.
        if (character === '\u007f' || character === '\b') line = line.slice(0, -1)
        else if (line.length < TYPED_CHARACTERS) line += character
      }
    }
    terminal.on('data', take)
  })
}

/**
 * A new passphrase: the first line of `file`, else the environment's, else typed twice. It is never an argument, which every user of the host could read.
 * @throws {LoghopError} USAGE
 */
export async function newPassphrase(file: string | undefined): Promise<string> {
  if (file !== undefined) return firstLine(file)
  const variable = process.env[PASSPHRASE_VARIABLE]
  if (variable !== undefined) return variable
  if (!process.stdin.isTTY) {
    const remedy = `Give --passphrase-file FILE, or set ${PASSPHRASE_VARIABLE}, or run it at a terminal`
    throw new LoghopError('USAGE', 'Cannot go on without a passphrase: none was given, and there is no terminal to ask at', remedy)
  }
  const passphrase = await typed('Passphrase: ', process.stdin)
  if ((await typed('The same again: ', process.stdin)) === passphrase) return passphrase
  throw new LoghopError('USAGE', 'Cannot take the passphrase: what was typed the second time differs', 'Run the command again')
}
