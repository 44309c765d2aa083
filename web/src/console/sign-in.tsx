/** Signing in with an operator's key. The key goes into the request and nowhere else: what stays is a cookie no script can read. */
import { useState } from 'preact/hooks';
import { Banner, Button, Card, Icon, Page, Stack, TextField } from '../kit';
import { useAct } from '../lib/load';
import { type Session, signIn } from '../lib/session';
import { Refused } from './parts';
import { Prefs } from './settings-fields';
import { t } from './text';

export function SignIn({ ended, onSession }: { ended: boolean; onSession: (session: Session) => void }) {
  const [key, setKey] = useState('');
  const [shown, setShown] = useState(false);
  const [tried, setTried] = useState(false);
  const doing = useAct(async () => {
    const session = await signIn({ as: 'operator', key: key.trim() });
    setKey('');
    onSession(session);
  });
  const unknown = doing.failure?.code === 'unauthenticated' || doing.failure?.code === 'wrong_key';
  const error = unknown ? t('signin.unknown') : tried && key.trim() === '' ? t('signin.missing') : undefined;
  return (
    <Page key="sign-in" title={t('app')}>
      <div class="o-signin">
        {ended && (
          <Banner tone="info" role="status">
            {t('signin.ended')}
          </Banner>
        )}
        <Card title={t('signin.title')}>
          <form
            noValidate
            onSubmit={(e) => {
              e.preventDefault();
              setTried(true);
              if (key.trim() !== '') doing.run();
            }}
          >
            <Stack>
              <TextField
                label={t('signin.key')}
                hint={t('signin.hint')}
                error={error}
                type={shown ? 'text' : 'password'}
                autocomplete="current-password"
                name="key"
                mono
                required
                value={key}
                onInput={(value) => {
                  setKey(value);
                  doing.clear();
                }}
                after={
                  <button class="k-hit" type="button" aria-label={t('signin.show')} aria-pressed={shown} onClick={() => setShown(!shown)}>
                    <Icon name={shown ? 'eye-off' : 'eye'} />
                  </button>
                }
              />
              {!unknown && <Refused failure={doing.failure} />}
              <Button kind="primary" block type="submit" busy={doing.busy}>
                {t('signin.do')}
              </Button>
            </Stack>
          </form>
        </Card>
        <Card>
          <Prefs />
        </Card>
      </div>
    </Page>
  );
}
