/** Pairing this till: the shop's key is typed, pasted, or read from the code that another till shows. */
import { useState } from 'preact/hooks';
import { c, failureText } from '../../common/text';
import { Button, Card, Link, Page, Segmented, TextField } from '../../kit';
import { asFailure, useAct } from '../../lib/load';
import { prefs } from '../../lib/prefs';
import { signIn } from '../../lib/session';
import { Camera } from '../camera';
import { chooseLang } from '../lang';
import { enter } from '../me';
import { t } from '../text';
import { unlock } from '../voice';

/** The key in what was typed, pasted or scanned, with whatever stands around it. */
const keyIn = (text: string): string | undefined => /ymk_[0-9A-Za-z_-]{16,}/.exec(text)?.[0];

export default function SignIn() {
  const [text, setText] = useState('');
  const [shown, setShown] = useState(false);
  const [camera, setCamera] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const pair = useAct(async (key: string) => {
    try {
      await enter(await signIn({ as: 'merchant', key }));
    } catch (error) {
      const failure = asFailure(error);
      if (failure.code !== 'unauthenticated') throw failure;
      setWrong(t('pair.unknown'));
    }
  });
  const submit = (given: string) => {
    const key = keyIn(given);
    setWrong(key ? undefined : given.trim() === '' ? t('pair.empty') : t('pair.malformed'));
    if (!key) return t('pair.malformed');
    unlock();
    setCamera(false);
    setText('');
    pair.run(key);
    return undefined;
  };
  return (
    <Page
      title={t('pair.title')}
      actions={
        <Segmented
          label={c('settings.language')}
          value={prefs().lang}
          options={[
            { value: 'zh', label: t('lang.zh') },
            { value: 'en', label: t('lang.en') },
          ]}
          onChange={(lang) => void chooseLang(lang as 'zh' | 'en')}
        />
      }
    >
      <p class="till-lead">{t('pair.lead')}</p>
      <Card>
        <form
          class="k-stack"
          onSubmit={(event) => {
            event.preventDefault();
            submit(text);
          }}
        >
          <TextField
            label={t('pair.key')}
            hint={t('pair.hint')}
            type={shown ? 'text' : 'password'}
            mono
            focus
            value={text}
            onInput={setText}
            error={wrong ?? (pair.failure && failureText(pair.failure))}
            after={
              <Button kind="quiet" icon={shown ? 'eye-off' : 'eye'} label={t('pair.show')} pressed={shown} onClick={() => setShown(!shown)} />
            }
          />
          <Button kind="primary" block type="submit" busy={pair.busy}>
            {t('pair.do')}
          </Button>
          {camera ? (
            <Camera found={(given) => submit(given)} onClose={() => setCamera(false)} />
          ) : (
            <Button block icon="scan" onClick={() => setCamera(true)}>
              {t('pair.scan')}
            </Button>
          )}
        </form>
      </Card>
      <p class="till-note">
        {t('pair.none')} <Link href="/">{t('pair.resident')}</Link>
      </p>
    </Page>
  );
}
