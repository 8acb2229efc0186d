import { Component, type ReactNode } from 'react'

/** Keeps a page that fails from taking the window with it. A class, since React has nothing else that catches. */
export class Boundary extends Component<{ children: ReactNode; instead: ReactNode }, { hasFailed: boolean }> {
  static getDerivedStateFromError = (): { hasFailed: boolean } => ({ hasFailed: true })
  override state = { hasFailed: false }
  override render(): ReactNode {
    return this.state.hasFailed ? this.props.instead : this.props.children
  }
}
