CREATE TABLE coupon (
  id               BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name             VARCHAR(200) NOT NULL,
  discount         BIGINT       NOT NULL COMMENT 'whole KRW',
  total_quantity   INT          NOT NULL,
  issued_quantity  INT          NOT NULL DEFAULT 0 COMMENT 'rows of this coupon in coupon_issue, kept in the same transaction',
  starts_at        DATETIME(6)  NOT NULL,
  ends_at          DATETIME(6)  NOT NULL,
  status           VARCHAR(16)  NOT NULL DEFAULT 'ACTIVE' COMMENT 'ACTIVE, CANCELLED',
  version          INT          NOT NULL DEFAULT 1 COMMENT 'raised by every change; the gate in Redis follows the highest',
  gate_epoch       INT          NOT NULL DEFAULT 0 COMMENT 'how often the gate was claimed for opening; 0: never',
  gate_lease_until DATETIME(6)  NULL COMMENT 'until then the claimer of gate_epoch is opening the gate',
  created_at       DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  CONSTRAINT coupon_not_over_issued CHECK (issued_quantity BETWEEN 0 AND total_quantity),
  CONSTRAINT coupon_window CHECK (starts_at < ends_at),
  CONSTRAINT coupon_discount CHECK (discount > 0),
  KEY coupon_by_end (ends_at)
);

CREATE TABLE coupon_issue (
  coupon_id BIGINT      NOT NULL,
  user_id   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  issued_at DATETIME(6) NOT NULL COMMENT 'when the gate accepted',
  saved_at  DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (coupon_id, user_id),
  KEY coupon_issue_by_user (user_id, issued_at)
);

-- Acceptances that could not be honoured. Empty unless something outside of the system lost data.
CREATE TABLE coupon_issue_failure (
  coupon_id   BIGINT      NOT NULL,
  user_id     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason      VARCHAR(32) NOT NULL COMMENT 'SOLD_OUT, UNKNOWN_COUPON, TOO_LATE, DEAD_LETTERED',
  accepted_at DATETIME(6) NOT NULL,
  saved_at    DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (coupon_id, user_id)
);

-- Written by the consumer when it meets the marker of a gate's epoch in a partition: all that came before it is in coupon_issue.
CREATE TABLE coupon_fence (
  coupon_id   BIGINT      NOT NULL,
  epoch       INT         NOT NULL,
  `partition` INT         NOT NULL,
  saved_at    DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (coupon_id, epoch, `partition`)
);
