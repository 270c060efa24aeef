// Files of a destination, as the configuration writes them, for agent and relay.

import { z } from 'zod'
import { modeOption, optionalOption, textOption } from '../base/option-kinds.ts'
import { durationOption, sizeOption } from '../base/quantities.ts'
import { readTemplate } from '../syslog/macros.ts'
import { macroPath, tidyPath } from '../syslog/path-value.ts'
import { datedPattern, hasDate } from './dated-pattern.ts'
import { expireOption } from './expire-options.ts'
import { ROTATION_PERIODS } from './file-rotation.ts'
import { limitOption } from './limit-options.ts'
import { lineOptions } from './line-options.ts'
import { COMPRESSIONS } from './pack-file.ts'
import { repeatedOption } from './repeated-option.ts'
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
  readFilePath,
)

/** Reads the path of files, in which macros may be. */
export function readFilePath(text: string): { value: string } | { reason: string } {
  if (Buffer.byteLength(text) > TEMPLATE_MAX_BYTES) return { reason: `over ${TEMPLATE_MAX_BYTES} bytes` }
  const template = readTemplate(text)
  if (template.kind === 'malformed') return { reason: template.faults[0]!.reason }
  const path = macroPath(template.template)
  return path.kind === 'malformed' ? path : { value: tidyPath(text) }
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
      .enum(COMPRESSIONS)
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

/** Keys beside the path, of a destination and of a file that a rule leads to. */
export const fileKeys = {
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
  ...lineOptions,
  limit: limitOption,
  repeated: repeatedOption,
  rotate: rotateOption,
  expire: expireOption,
  compress: z
    .enum(COMPRESSIONS)
    .default('none')
    .describe(
      'Compression of files of an earlier date, in the background, for a path with macros of the date: none, gzip or zstd; default none',
    ),
  latest: latestOption,
} as const

const fileOptions = z.strictObject(fileKeys)
export type FileOptions = z.infer<typeof fileOptions>

/** What does not go with the path. */
export function faultsOfFile(
  path: string,
  { expire, latest, compress, rotate }: Pick<FileOptions, 'expire' | 'latest' | 'compress' | 'rotate'>,
): Array<{ key: string; message: string }> {
  const faults: Array<{ key: string; message: string }> = []
  const dated = isDated(path)
  if (expire !== undefined && !dated)
    faults.push({ key: 'expire', message: 'the path has no date in it, so there is one file of each kind; see rotate' })
  if (compress !== 'none' && !dated)
    faults.push({ key: 'compress', message: 'the path has no date in it; compress of rotate is for closed files' })
  else if (compress !== 'none' && rotate !== undefined && rotate.compress !== compress)
    faults.push({ key: 'compress', message: `rotate has compress: ${rotate.compress}; give both the same` })
  if (latest !== undefined && !dated) faults.push({ key: 'latest', message: 'the path has no date in it, so the file is always the same' })
  if (latest !== undefined && dated && canMake(path, latest))
    faults.push({ key: 'latest', message: 'the path itself can make a file or folder of that name' })
  return faults
}

export const filesOption = z.strictObject({ files: templateOption, ...selectOptions, ...fileKeys }).superRefine((options, context) => {
  for (const { key, message } of faultsOfFile(options.files, options)) context.addIssue({ code: 'custom', path: [key], message })
})

export type FilesOption = z.infer<typeof filesOption>
