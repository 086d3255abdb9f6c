import type { ScreenProps } from '../app/screens';
import { PageHead } from '../ui/layout';

export default function Welcome(_: ScreenProps) {
  return <PageHead title="Welcome" />;
}
