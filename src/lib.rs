//! An evidence lake for Azure DevOps.
