import type { ChildProcess } from 'node:child_process';
import { sleep } from '../../lib/async.js';

/**
 * What `weft run` asks the sidecars that it started before it ends their apps, over Node's channel between processes. `calls`: how many calls the
 * app has not answered yet. `release`: give the app nothing new, and answer when it has done what was under way, `ms` milliseconds at most.
 */
export type Question = { readonly ask: 'calls' } | { readonly ask: 'release'; readonly ms: number };

/** What answers them. */
export interface Answers {
  callsOfApp(): Promise<number>;
  releaseApp(ms: number): Promise<void>;
}

/** Answers the process that started this one, if it is one that asks. @param current undefined: there is nothing to wait for yet */
export function answerQuestions(current: () => Answers | undefined): void {
  if (!process.send) return;
  process.on('message', (message: (Question & { readonly id: number }) | null) => {
    // Whoever else starts a sidecar with such a channel may say anything on it.
    if (typeof message?.ask !== 'string') return;
    const { id, ...question } = message;
    void answerOf(question as Question, current()).then((answer) => {
      if (process.connected) process.send?.({ id, answer }, undefined, undefined, () => {});
    });
  });
  // It must not keep a process that has come to its end.
  process.channel?.unref();
}

async function answerOf(question: Question, answers: Answers | undefined): Promise<number> {
  if (!answers) return 0;
  if (question.ask === 'calls') return answers.callsOfApp();
  if (question.ask === 'release') await answers.releaseApp(question.ms);
  return 0;
}

/** @returns what asks `child`; its answer, or undefined when it gives none within `ms` milliseconds */
export function questionsTo(child: ChildProcess): (question: Question, ms: number) => Promise<number | undefined> {
  let asked = 0;
  return async (question, ms) => {
    if (!child.connected) return undefined;
    asked += 1;
    const id = asked;
    const over = new AbortController();
    let answer: number | undefined;
    const take = (message: { readonly id?: number; readonly answer?: number }) => {
      if (message.id !== id) return;
      answer = message.answer;
      over.abort();
    };
    const end = () => over.abort();
    child.on('message', take).on('disconnect', end);
    child.send({ id, ...question }, () => {});
    await sleep(ms, over.signal);
    child.off('message', take).off('disconnect', end);
    return answer;
  };
}
