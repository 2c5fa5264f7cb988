/** What a command needs to know of the terminal it writes to. */
export interface Terminal {
  /** Writes one line to standard output. */
  line(text?: string): void;
  /** Writes one line to standard error. */
  note(text: string): void;
  readonly paint: Paint;
}

export type Colour = keyof typeof codes;
export type Paint = (colour: Colour, text: string) => string;

const codes = { red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, grey: 90, bold: 1 } as const;

/** The colours that tell apps apart; red is kept for failures. */
export const APP_COLOURS: readonly Colour[] = ['cyan', 'yellow', 'magenta', 'green', 'blue'];

/**
 * @returns whether to colour: https://no-color.org wins, then FORCE_COLOR, then whether the stream is a terminal
 */
export function wantsColour(env: NodeJS.ProcessEnv, isTty: boolean): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '') return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return isTty && env.TERM !== 'dumb';
}

/** @returns a function that colours, or leaves text alone */
export function createPaint(colours: boolean): Paint {
  return colours ? (colour, text) => `\u001b[${codes[colour]}m${text}\u001b[0m` : (_, text) => text;
}

/** @returns the terminal of this process */
export function processTerminal(): Terminal {
  return {
    line: (text = '') => void process.stdout.write(`${text}\n`),
    note: (text) => void process.stderr.write(`${text}\n`),
    paint: createPaint(wantsColour(process.env, process.stdout.isTTY === true)),
  };
}

/** @returns how many columns `text` takes, colour codes left out */
export function visibleWidth(text: string): number {
  let width = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what starts a colour code
  for (const _ of text.replace(/\u001b\[\d+m/g, '')) width += 1;
  return width;
}
