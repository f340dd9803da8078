# Datasets, service accounts and grants of the gcp profile. Tables and views are made by `nba-features schemas apply`:
# columns have one definition, the contracts.

terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 5.0, < 8.0"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

locals {
  history = ["nba_raw", "nba_analytics", "nba_precompute", "nba_predictions", "nba_orchestration"]

  # What each account reads and what it writes; every one of them but the reader keeps records and stages rows.
  duties = {
    ingest      = { reads = [], writes = ["nba_raw"] }
    analytics   = { reads = ["nba_raw"], writes = ["nba_analytics"] }
    precompute  = { reads = ["nba_raw", "nba_analytics"], writes = ["nba_precompute"] }
    predictions = { reads = ["nba_raw", "nba_analytics", "nba_precompute"], writes = ["nba_predictions"] }
    reader      = { reads = ["nba_raw", "nba_analytics", "nba_predictions", "nba_orchestration"], writes = [] }
  }
  workers = { for name, duty in local.duties : name => duty if length(duty.writes) > 0 }

  reads  = merge([for name, duty in local.duties : { for dataset in duty.reads : "${name}/${dataset}" => { duty = name, dataset = dataset } }]...)
  writes = merge([for name, duty in local.workers : { for dataset in concat(duty.writes, ["nba_orchestration", "nba_staging"]) : "${name}/${dataset}" => { duty = name, dataset = dataset } }]...)
}

resource "google_bigquery_dataset" "history" {
  for_each   = toset(local.history)
  dataset_id = each.key
  location   = var.location
  labels     = { app = "nba-features" }

  # History never expires: neither tables nor partitions have a default age.
  delete_contents_on_destroy = false

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_bigquery_dataset" "staging" {
  dataset_id = "nba_staging"
  location   = var.location
  labels     = { app = "nba-features" }

  # Rows that were never published go after a day, whatever became of the process that staged them.
  default_table_expiration_ms = 86400000
}

resource "google_service_account" "duty" {
  for_each     = local.duties
  account_id   = "nba-features-${each.key}"
  display_name = "nba-features ${each.key}"
}

resource "google_project_iam_member" "jobs" {
  for_each = local.duties
  project  = var.project
  role     = "roles/bigquery.jobUser"
  member   = google_service_account.duty[each.key].member
}

resource "google_project_iam_member" "read_sessions" {
  for_each = local.duties
  project  = var.project
  role     = "roles/bigquery.readSessionUser"
  member   = google_service_account.duty[each.key].member
}

resource "google_bigquery_dataset_iam_member" "reads" {
  for_each   = local.reads
  dataset_id = google_bigquery_dataset.history[each.value.dataset].dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.duty[each.value.duty].member
}

resource "google_bigquery_dataset_iam_member" "writes" {
  for_each   = local.writes
  dataset_id = each.value.dataset == "nba_staging" ? google_bigquery_dataset.staging.dataset_id : google_bigquery_dataset.history[each.value.dataset].dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.duty[each.value.duty].member
}

# The registry of Feast: one file, every version of it kept.
resource "google_storage_bucket" "registry" {
  name                        = var.registry_bucket
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }
}

resource "google_storage_bucket_iam_member" "registry_writer" {
  bucket = google_storage_bucket.registry.name
  role   = "roles/storage.objectUser"
  member = google_service_account.duty["predictions"].member
}

resource "google_storage_bucket_iam_member" "registry_reader" {
  bucket = google_storage_bucket.registry.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.duty["reader"].member
}
