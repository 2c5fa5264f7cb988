import { duration, type Options, text } from '../options.js';
import { oneOf, wholeNumber } from './options.js';

/** Names as Dapr's brokers have them, where they have them. */
export const sqliteOptions = {
  /** The broker's file; relative ones lie in the data directory. Default: one file for each component name, shared by all sidecars of this machine. */
  connectionString: text(''),
  /** Messages of one topic that are kept at most; more are refused. */
  maxLength: wholeNumber(100_000, 1),
  /** Messages that one subscription handles at a time. 1: strictly one after the other. */
  maxInFlight: wholeNumber(100, 1),
  /** How long a consumer may be silent before its messages go to another. It is not silent while a handler runs. */
  processingTimeout: duration(15_000),
  /** Until a failed message comes again, doubled each time up to `maxRedeliverInterval`. */
  redeliverInterval: duration(500),
  maxRedeliverInterval: duration(30_000),
  /** How long messages stay for consumer groups that do not exist yet. 0: a new group gets what is published from then on. */
  retention: duration(0),
  /** A consumer group without consumers for so long is forgotten, and what was kept for it. */
  consumerExpiry: duration(7 * 24 * 3_600_000),
  /** How long a call may wait for other processes' writes. */
  busyTimeout: duration(5_000),
  /** `full`: a published message survives a power cut; `normal`: a crash of any process, but not of the machine. */
  synchronous: oneOf('full', 'normal'),
};

export type SqliteBrokerOptions = Options<typeof sqliteOptions>;
