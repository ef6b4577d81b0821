"""Every configuration key of every component: one declaration each, nothing read or written."""
