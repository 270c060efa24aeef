// Files of a destination, as the configuration writes them, for agent and relay.

import { z } from 'zod'
import { modeOption, optionalOption, textOption } from '../base/option-kinds.ts'
import { durationOption, sizeOption } from '../base/quantities.ts'
import { repeatedOption } from '../pipeline/rule-options.ts'
import { readTemplate } from '../syslog/macros.ts'
import { macroPath, tidyPath } from '../syslog/path-value.ts'
import { datedPattern, hasDate } from './dated-pattern.ts'
import { expireOption } from './expire-options.ts'
import { ROTATION_PERIODS } from './file-rotation.ts'
import { limitOption } from './limit-options.ts'
import { lineOptions } from './line-options.ts'
import { selectOptions } from './select-option.ts'

const TEMPLATE_MAX_BYTES = 1024
const KEEP_MAX = 100_000
const YEARS_MS = 100 * 366 * 86_400_000

const templateOption = textOption(
  {
    sense:
      'File that messages are appended to; $HOST is the name that the sender proved, $YEAR $MONTH $DAY and the other macros are those of the message',
    allowed: 'an absolute path such as /var/log/loghop/$HOST/messages',
  },
  (text) => {
    const reason = faultOfTemplate(text)
    return reason === undefined ? { value: tidyPath(text) } : { reason }
  },
)

function faultOfTemplate(text: string): string | undefined {
  if (Buffer.byteLength(text) > TEMPLATE_MAX_BYTES) return `over ${TEMPLATE_MAX_BYTES} bytes`
  const template = readTemplate(text)
  if (template.kind === 'malformed') return template.faults[0]!.reason
  const path = macroPath(template.template)
  return path.kind === 'malformed' ? path.reason : undefined
}

const ownerOption = (kind: 'user' | 'group') =>
  optionalOption(
    textOption(
      {
        sense: `${kind === 'user' ? 'Owner' : 'Group'} of new files and directories; default the one of Loghop`,
        allowed: `the name or number of a ${kind}`,
      },
      (text) => (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,255}\$?$/.test(text) ? { value: text } : { reason: `not the name of a ${kind}` }),
    ),
  )

const size = (sense: string) => optionalOption(sizeOption({ sense, min: 1 << 10, max: 2 ** 50 }))

const rotateOption = z
  .strictObject({
    size: size('A file of this size is closed before the next line; it may be over by what is written at once, about 1 MiB'),
    every: z
      .enum(ROTATION_PERIODS)
      .optional()
      .describe(`A new file begins with the first line of each ${ROTATION_PERIODS.join(', ')}; default never`),
    keep: z.int().min(0).max(KEEP_MAX).optional().describe('Closed files that stay: a number; default all'),
    keep_for: optionalOption(durationOption({ sense: 'How long closed files stay', min: 60_000, max: YEARS_MS })),
    keep_size: size('Bytes that the closed files of one file may take in all'),
    compress: z
      .enum(['none', 'gzip', 'zstd'])
      .default('zstd')
      .describe('Compression of closed files, in the background: none, gzip or zstd; default zstd'),
  })
  .refine((options) => options.size !== undefined || options.every !== undefined, {
    message: 'neither size nor every, so no file would ever be closed',
  })
  .optional()
  .describe(
    'When a file is closed and a new one begun, and what becomes of closed ones: a mapping with size or every, optionally keep, keep_for, keep_size, compress; default never',
  )

const latestOption = optionalOption(
  textOption(
    {
      sense: 'Name of a link to the file that was begun last, beside the first folder or file with a date; default none',
      allowed: 'a name such as latest',
    },
    (text) => (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}$/.test(text) ? { value: text } : { reason: 'not one component of a path' }),
  ),
)

/** Whether the path could make a file or folder of that name in the place of the link. */
function canMake(path: string, name: string): boolean {
  const result = readTemplate(path)
  if (result.kind === 'malformed') return false
  const pattern = datedPattern(result.template)
  return pattern.match(name, pattern.dateDepth) !== undefined
}

function isDated(path: string): boolean {
  const result = readTemplate(path)
  return result.kind === 'template' && hasDate(result.template)
}

export const filesOption = z
  .strictObject({
    files: templateOption,
    file_mode: modeOption('Permissions of a new file', '0640'),
    directory_mode: modeOption('Permissions of a new directory', '0750'),
    owner: ownerOption('user'),
    group: ownerOption('group'),
    create_dirs: z.boolean().default(true).describe('Whether missing directories are made: true or false; default true'),
    fsync: z
      .enum(['checkpoint', 'batch'])
      .default('checkpoint')
      .describe(
        'When lines are forced to the disk: with each checkpoint (the spool has them until then), or after each batch; default checkpoint',
      ),
    ...selectOptions,
    ...lineOptions,
    limit: limitOption,
    repeated: repeatedOption,
    rotate: rotateOption,
    expire: expireOption,
    latest: latestOption,
  })
  .refine(({ files, expire }) => expire === undefined || isDated(files), {
    path: ['expire'],
    message: 'the path has no date in it, so there is one file of each kind; see rotate',
  })
  .refine(({ files, latest }) => latest === undefined || isDated(files), {
    path: ['latest'],
    message: 'the path has no date in it, so the file is always the same',
  })
  .refine(({ files, latest }) => latest === undefined || !isDated(files) || !canMake(files, latest), {
    path: ['latest'],
    message: 'the path itself can make a file or folder of that name',
  })

export type FilesOption = z.infer<typeof filesOption>
