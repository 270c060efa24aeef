// Destinations that agent and relay have in common, as the configuration writes them.

import { z } from 'zod'
import { absolutePathOption, SOCKET_PATH_MAX_BYTES, textOption } from '../base/option-kinds.ts'
import { optionNotes } from '../base/option-notes.ts'
import { limitOption } from './limit-options.ts'
import { lineOptions } from './line-options.ts'
import { selectOptions } from './select-option.ts'

const COMMAND_MAX_BYTES = 8192

const commandText = textOption({ sense: 'Command', allowed: 'a command for /bin/sh' }, (text) =>
  text.trim() === '' || text.includes('\0') || text.length > COMMAND_MAX_BYTES ? { reason: 'no command' } : { value: text },
)
const wordText = textOption({ sense: 'Program or argument', allowed: 'a text' }, (text) =>
  text.includes('\0') || text.length > COMMAND_MAX_BYTES ? { reason: 'a NUL byte in it, or too long' } : { value: text },
)

const usersAllowed = 'names with commas such as "root,alice", or "*" for everyone who is logged in'
const usersText = textOption({ sense: 'Users on whose terminals it is shown', allowed: usersAllowed }, (text) => {
  const names = text.split(',').map((name) => name.trim())
  if (names.some((name) => name !== '*' && !/^[A-Za-z0-9_][A-Za-z0-9_.@$-]{0,255}$/.test(name))) return { reason: 'not names of users' }
  return { value: names }
})

const chosen = { ...selectOptions, ...lineOptions, limit: limitOption } as const

export const pipeOption = z.strictObject({
  pipe: absolutePathOption('Named pipe (FIFO) that lines are written to while someone reads it', '/run/alerts'),
  ...chosen,
})
export const programOption = z.strictObject({
  program: z
    .union([commandText, z.array(wordText).min(1)])
    .register(optionNotes, { allowed: 'a command for /bin/sh, or a list of the program and its arguments' })
    .describe(
      'Program that gets lines on its standard input, started at once and again when it ends: a command for /bin/sh, or a list of the program and its arguments',
    ),
  ...chosen,
})
export const unixOption = z.strictObject({
  unix: absolutePathOption('Datagram socket of a local program, one datagram for each message', '/run/other/log', SOCKET_PATH_MAX_BYTES),
  ...chosen,
})
export const unixStreamOption = z.strictObject({
  'unix-stream': absolutePathOption(
    'Stream socket of a local program, a line for each message',
    '/run/other/stream',
    SOCKET_PATH_MAX_BYTES,
  ),
  ...chosen,
})
export const consoleOption = z.strictObject({
  console: absolutePathOption('Terminal that messages are shown on', '/dev/console'),
  ...chosen,
})
export const usersOption = z.strictObject({ users: usersText, ...chosen })
export const discardOption = z.strictObject({
  discard: z.literal(true).describe('Nothing is kept of what goes here: true'),
  ...selectOptions,
})

export const LOCAL_OPTIONS = [pipeOption, programOption, unixOption, unixStreamOption, consoleOption, usersOption, discardOption] as const

/** What the list of destinations may hold beside files and forward, in words. */
export const LOCAL_ALLOWED = 'pipe, program, unix, unix-stream, console, users, discard'

export type LocalOptions = z.infer<(typeof LOCAL_OPTIONS)[number]>
