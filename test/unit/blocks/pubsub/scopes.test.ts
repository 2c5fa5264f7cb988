import { describe, expect, it } from 'vitest';
import { topicScopes } from '../../../../src/blocks/pubsub/scopes.js';

const decide = (metadata: Record<string, string>, app: string, topic: string) =>
  topicScopes(new Map(Object.entries(metadata)), app).mayPublish(topic);

describe('which topics an app may publish to', () => {
  it('is every topic without rules', () => expect(decide({}, 'a', 't')).toBe(true));

  it.each([
    // allowedTopics come first: nothing else can open what they leave out.
    [{ allowedtopics: 'x,y' }, 'a', 'z', false],
    [{ allowedtopics: 'x, y' }, 'a', 'y', true],
    [{ allowedtopics: 'x', publishingscopes: 'a=z' }, 'a', 'z', false],
    // An app without an entry may use what is not protected.
    [{ publishingscopes: 'b=t' }, 'a', 'anything', true],
    [{ publishingscopes: 'b=t', protectedtopics: 'secret' }, 'a', 'secret', false],
    // An entry limits its app to its topics; an empty one to none.
    [{ publishingscopes: 'a=t1,t2;b=t3' }, 'a', 't2', true],
    [{ publishingscopes: 'a=t1,t2;b=t3' }, 'a', 't3', false],
    [{ publishingscopes: 'a=' }, 'a', 't1', false],
    [{ publishingscopes: ' a = t1 ; b= ' }, 'a', 't1', true],
    // A protected topic always needs an entry.
    [{ protectedtopics: 'secret' }, 'a', 'secret', false],
    [{ protectedtopics: 'secret', publishingscopes: 'a=secret' }, 'a', 'secret', true],
    [{ protectedtopics: 'secret' }, 'a', 'open', true],
  ] as const)('with %j, app %s, topic %s: %s', (metadata, app, topic, allowed) => {
    expect(decide(metadata as unknown as Record<string, string>, app, topic)).toBe(allowed);
  });

  it('keeps publishing and subscribing apart', () => {
    const scopes = topicScopes(
      new Map([
        ['publishingscopes', 'a=p'],
        ['subscriptionscopes', 'a=s'],
      ]),
      'a',
    );
    expect([scopes.mayPublish('p'), scopes.maySubscribe('p'), scopes.mayPublish('s'), scopes.maySubscribe('s')]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });
});
